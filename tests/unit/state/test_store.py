"""One partition's database: what was applied is there, all or nothing, also after it was closed."""

import pytest

from pipeline.state import layout
from pipeline.state.store import Change, RocksEngine, RocksOptions

FAMILIES = ("people", "orders")


@pytest.fixture(scope="module")
def engine():
    return RocksEngine(RocksOptions(block_cache_bytes=1 << 20))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "people-0"


def test_a_new_database_is_empty_and_at_the_beginning_of_its_changelog(engine, path):
    store = engine.open(path, FAMILIES)
    assert store.position() == 0
    assert store.format_version() is None
    assert store.get("people", b"ada") is None
    assert list(store.scan("people")) == []
    store.close()


def test_what_was_applied_is_there_after_the_database_was_closed(engine, path):
    store = engine.open(path, FAMILIES)
    store.apply([Change("people", b"ada", b"1"), Change("orders", b"ada", b"2"), Change("people", b"bob", b"")], 17)
    store.apply([Change("people", b"bob", None), Change("people", b"nobody", None)], 19)
    store.close()
    store = engine.open(path, FAMILIES)
    assert store.get("people", b"ada") == b"1"
    assert store.get("orders", b"ada") == b"2"
    assert store.get("people", b"bob") is None
    assert store.position() == 19
    assert store.format_version() == layout.FORMAT_VERSION
    store.close()


def test_databases_that_are_barely_used_together_write_no_files(tmp_path):
    engine = RocksEngine(RocksOptions(block_cache_bytes=1 << 20, all_write_buffers_bytes=8 << 20))
    stores = [engine.open(tmp_path / str(number), [layout.SEEN, *"abcdefg"]) for number in range(8)]
    for position in range(1, 20):
        for store in stores:
            store.apply([Change(family, str(position).encode(), b"row") for family in "abcdefg"], position)
    files = list(tmp_path.rglob("*.sst"))
    for store in stores:
        store.close()
    assert files == []


def test_an_empty_value_is_a_row_and_none_is_none(engine, path):
    store = engine.open(path, FAMILIES)
    store.apply([Change("people", b"ada", b"")], 1)
    assert store.get("people", b"ada") == b""
    store.close()


def test_a_scan_gives_the_rows_in_key_order_from_a_start_key(engine, path):
    store = engine.open(path, FAMILIES)
    keys = [b"b", b"a\xff", b"a", b"", b"ab", b"a\x00", b"\xff"]
    store.apply([Change("people", key, key) for key in keys], 1)
    assert list(store.scan("people")) == [(key, key) for key in sorted(keys)]
    assert [key for key, _ in store.scan_from("people", b"a\x01")] == [b"ab", b"a\xff", b"b", b"\xff"]
    assert list(store.scan_from("people", b"\xff\x00")) == []
    store.close()


def test_a_batch_that_breaks_off_changes_nothing(engine, path):
    def broken():
        yield Change("people", b"ada", b"1")
        raise ConnectionError

    store = engine.open(path, FAMILIES)
    with pytest.raises(ConnectionError):
        store.apply(broken(), 5)
    assert store.get("people", b"ada") is None
    assert store.position() == 0
    store.close()


def test_a_database_of_another_format_is_dropped_to_be_restored(engine, path, monkeypatch):
    store = engine.open(path, FAMILIES)
    store.apply([Change("people", b"ada", b"1")], 17)
    store.close()
    monkeypatch.setattr(layout, "FORMAT_VERSION", layout.FORMAT_VERSION + 1)
    store = engine.open(path, FAMILIES)
    assert store.get("people", b"ada") is None
    assert store.position() == 0
    store.close()


def test_a_folder_has_one_owner_at_a_time(engine, path):
    store = engine.open(path, FAMILIES)
    with pytest.raises(Exception, match="lock"):
        engine.open(path, FAMILIES)
    store.close()
    engine.open(path, FAMILIES).close()
