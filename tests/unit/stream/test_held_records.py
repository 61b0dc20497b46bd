"""The gauge of held records: a reader that finds lag 0 and then 0 held records has the end of a replay."""

import pytest

from pipeline.obs import metrics as m
from pipeline.stream.vitals import Vitals

PLACE = ("intake", 0)


@pytest.fixture
def metrics() -> m.Metrics:
    return m.Metrics()


@pytest.fixture
def vitals(metrics: m.Metrics) -> Vitals:
    return Vitals(metrics, "cdp", {"cdp.events.web.v1": "intake"})


def test_a_record_counts_before_the_commit_that_consumes_it(metrics, vitals):
    vitals.held([(PLACE, 3)], is_committed=False)
    assert metrics.value(m.HELD, "intake", "0") == 3


def test_a_record_counts_until_the_commit_that_decides_it(metrics, vitals):
    vitals.held([(PLACE, 3)], is_committed=True)
    vitals.held([(PLACE, 0)], is_committed=False)
    assert metrics.value(m.HELD, "intake", "0") == 3
    vitals.held([(PLACE, 0)], is_committed=True)
    assert metrics.value(m.HELD, "intake", "0") == 0


def test_a_partition_that_another_worker_owns_now_has_no_series(metrics, vitals):
    vitals.held([(PLACE, 3), (("intake", 1), 4)], is_committed=True)
    vitals.held([(("intake", 1), 4)], is_committed=True)
    page = metrics.expose()[0].decode()
    assert 'stitchline_held_records{partition="1",stage="intake"} 4.0' in page
    assert 'stitchline_held_records{partition="0"' not in page
