"""A worker's stores keep a bounded number of files open, however many files the rows are in."""

import contextlib
import sys
from pathlib import Path

import pytest

from pipeline.settings import Settings
from pipeline.state.store import MIN_TABLE_FILES, Change, RocksEngine, RocksOptions
from pipeline.stream.process_environment import process_environment
from pipeline.stream.stages.profile import PROFILE

FAMILIES = [f"family-{number}" for number in range(40)]


def open_tables(folder) -> int:
    """Returns the number of descriptors of this process that are table files below the folder."""
    paths = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the iteration itself
            paths.append(entry.readlink())
    return sum(path.is_relative_to(folder) and path.suffix == ".sst" for path in paths)


@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: open files are counted in /proc")
@pytest.mark.parametrize("table_files", [MIN_TABLE_FILES, 24, 512])
def test_rows_in_more_files_than_may_be_open_are_all_read(tmp_path, table_files):
    engine = RocksEngine(RocksOptions(block_cache_bytes=1 << 20, table_files=table_files))
    store = engine.open(tmp_path / "people-0", FAMILIES)
    for position, family in enumerate(FAMILIES):
        store.apply([Change(family, b"ada", family.encode())], position)
        store.family(family).flush()
    assert [store.get(family, b"ada") for family in FAMILIES] == [family.encode() for family in FAMILIES]
    files, is_open = len(list(tmp_path.rglob("*.sst"))), open_tables(tmp_path)
    store.close()
    assert files >= len(FAMILIES)
    assert is_open <= table_files
    assert open_tables(tmp_path) == 0


@pytest.mark.parametrize(("databases", "expected"), [(1, 160), (8, 20), (64, MIN_TABLE_FILES)])
def test_the_databases_of_a_worker_share_the_bound(tmp_path, databases, expected):
    store = process_environment(Settings(home=tmp_path, open_files=160), databases).open_store(PROFILE, 0)
    store.close()
    options = max(tmp_path.rglob("OPTIONS-*"))
    assert f"max_open_files={expected + 10}" in options.read_text()
