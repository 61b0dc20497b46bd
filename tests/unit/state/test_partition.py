"""A partition's state: rows reach the database only when Kafka has committed, and changelog records say which."""

import msgspec
import pytest

from pipeline.profile.row import ProfileRow
from pipeline.state import layout
from pipeline.state.partition import PartitionState, change_of, changelog_key
from pipeline.state.store import Change
from pipeline.state.tenants import TenantViews
from pipeline.state.view import RowFormatError, msgpack_view
from pipeline.testing.store import MemoryStore

CACHED = 100


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def views(store):
    return [msgpack_view(name, store, int, CACHED) for name in ("ages", "visits")]


@pytest.fixture
def state(store, views):
    return PartitionState(store, views)


@pytest.mark.parametrize("value", [b"x", b"", None])
@pytest.mark.parametrize("key", [b"ada", b"", b"default/email:a@b.org", b"/", b"\x00/\xff"])
def test_a_changelog_record_stands_for_its_change(key, value):
    change = Change("ages", key, value)
    assert change_of(changelog_key(change), value) == change


@pytest.mark.parametrize("key", [b"", b"\xff\xfe", b"no table", b"\xff/ada"])
def test_a_foreign_changelog_record_stands_for_a_change_of_no_table(key, store):
    assert not store.holds(change_of(key, b"whatever").family)
    assert store.holds("ages")


def test_nothing_is_in_the_database_before_it_is_persisted(state, store, views):
    views[0].put("ada", 36)
    views[1].put("ada", 1)
    changes = state.changes()
    assert changes == [Change("ages", b"ada", b"\x24"), Change("visits", b"ada", b"\x01")]
    assert state.written == {"ages": 1, "visits": 1}
    assert store.get("ages", b"ada") is None
    state.position = 12
    state.persist(changes)
    assert store.get("ages", b"ada") == b"\x24"
    assert store.position() == 12
    assert state.changes() == []
    assert state.written == {"ages": 0, "visits": 0}


def test_what_was_aborted_is_forgotten_with_its_position(state, store, views):
    views[0].put("ada", 36)
    state.position = 3
    state.persist(state.changes())
    views[0].put("ada", 37)
    state.position = 9
    state.forget()
    assert views[0].get("ada") == 36
    assert state.position == 3
    assert state.changes() == []


def test_a_tenants_rows_are_its_own_part_of_the_table(store):
    table = TenantViews("ages", store, int, CACHED)
    state = PartitionState(store, [table])
    ada, bob = table.of("ada"), table.of("bob")
    ada.put("email:x", 1)
    bob.put("email:x", 2)
    assert (ada.get("email:x"), bob.get("email:x"), ada.get("x")) == (1, 2, None)
    state.persist(state.changes())
    assert dict(store.scan("ages")) == {b"ada/email:x": b"\x01", b"bob/email:x": b"\x02"}
    bob.delete("email:x")
    ada.put("email:x", 3)
    table.forget()
    assert (ada.get("email:x"), bob.get("email:x")) == (1, 2)
    bob.delete("email:x")
    state.persist(state.changes())
    assert dict(store.scan("ages")) == {b"ada/email:x": b"\x01"}
    assert (table.of("bob").get("email:x"), table.of("eve").get("email:x")) == (None, None)


def test_tenants_share_one_bound_of_cached_rows(store):
    table = TenantViews("ages", store, int, CACHED)
    for number in range(1000):
        table.of(f"tenant{number % 20}").get(f"row{number}")
        table.committed()
        assert table.cached() <= CACHED + 2
    assert table.take_misses() == 1000


def test_a_row_of_another_version_is_refused_with_what_to_do(store):
    earlier = ["default", 1, {}, {}, "active", 3, 7, 0, 0, {}, b"", 0, 0, 0, ""]
    store.apply([Change(layout.PROFILES, b"p", msgspec.msgpack.encode(earlier))], 1)
    with pytest.raises(RowFormatError, match=r"a row of profiles was written by another version .*erasing-state\.md"):
        msgpack_view(layout.PROFILES, store, ProfileRow, CACHED).get("p")
