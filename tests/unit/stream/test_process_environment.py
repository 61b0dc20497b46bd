"""The stores of a worker: a damaged database is opened empty, so that the changelog restores it."""

import pytest

from pipeline.settings import Settings
from pipeline.state.store import Change, PartitionStore
from pipeline.stream.ownership import ProcessEnvironment
from pipeline.stream.process_environment import process_environment
from pipeline.stream.stages.profile import PROFILE

TABLE = PROFILE.families[0]


@pytest.fixture
def environment(tmp_path) -> ProcessEnvironment:
    return process_environment(Settings(home=tmp_path), 1)


def opened(environment: ProcessEnvironment) -> PartitionStore:
    return environment.open_store(PROFILE, 0)


def test_a_database_whose_files_are_damaged_is_opened_empty(environment, tmp_path):
    store = opened(environment)
    store.apply([Change(TABLE, b"ada", b"row")], 7)
    store.close()
    (current,) = tmp_path.rglob("CURRENT")
    current.write_bytes(b"damaged")

    store = opened(environment)
    assert (store.position(), store.get(TABLE, b"ada")) == (0, None)
    store.close()


def test_a_database_that_another_process_holds_is_not_touched(environment):
    store = opened(environment)
    store.apply([Change(TABLE, b"ada", b"row")], 7)
    with pytest.raises(Exception, match="lock"):
        opened(environment)
    assert (store.position(), store.get(TABLE, b"ada")) == (7, b"row")
    store.close()
