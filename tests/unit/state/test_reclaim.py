"""Deleted rows leave RocksDB's files, keys included, while the database goes on."""

from pipeline.state import layout
from pipeline.state.store import RocksEngine, RocksOptions
from tests.support.waiting import eventually

SECRET = b"nora.night@shop.example"


def holding(folder):
    return [path.name for path in folder.rglob("*") if path.is_file() and SECRET in path.read_bytes()]


def test_no_file_holds_a_deleted_row_or_its_key(tmp_path):
    folder = tmp_path / "db"
    store = RocksEngine(RocksOptions()).open(folder, [layout.PROFILES, layout.TIMERS])
    rows = [(layout.PROFILES, b"p%d" % number, b"row") for number in range(100)]
    store.apply([*rows, (layout.PROFILES, b"z" + SECRET, SECRET), (layout.TIMERS, SECRET, b"")], 10)
    assert holding(folder)
    store.apply([(layout.PROFILES, b"z" + SECRET, None), (layout.TIMERS, SECRET, None)], 20)
    eventually(store.reclaim([layout.PROFILES, layout.TIMERS]), "reclaimed")
    assert holding(folder) == []
    assert (store.get(layout.PROFILES, b"p7"), store.position()) == (b"row", 20)

    store.apply([(layout.PROFILES, b"p7", b"new")], 30)
    store.reclaim([layout.PROFILES, layout.TIMERS])
    store.close()  # waits for what is under way
    again = RocksEngine(RocksOptions()).open(folder, [layout.PROFILES, layout.TIMERS])
    assert (again.get(layout.PROFILES, b"p7"), again.position()) == (b"new", 30)
    again.close()
    assert holding(folder) == []
