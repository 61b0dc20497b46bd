"""Message ids within the window are seen once, in any order of arrival, at any time, through aborts and restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.state import layout
from pipeline.state.partition import PartitionState
from pipeline.state.seen import BLOCKS_EXPIRED_PER_COMMIT, SeenView
from pipeline.state.store import Change
from pipeline.testing.store import MemoryStore

WINDOW_MS = 10_000
DAY_MS = 86_400_000
ARRIVALS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9 * WINDOW_MS), st.booleans()), max_size=60)
ORIGINS = st.sampled_from([-3 * DAY_MS, -WINDOW_MS, 0, WINDOW_MS - 1, 20_000 * DAY_MS])


def digest(number: int) -> bytes:
    return number.to_bytes(8)


class Seen:
    """The view, its store, and commits as a worker does them; the changelog is kept to restore from."""

    def __init__(self, window_ms: int = WINDOW_MS, memory_ms: int = 0) -> None:
        self.store, self.log = MemoryStore(), list[Change]()
        self._window_ms, self._memory_ms = window_ms, memory_ms
        self._open(self.store)

    def _open(self, store: MemoryStore) -> None:
        self.view = SeenView(store, self._window_ms, self._memory_ms)
        self.state = PartitionState(store, [self.view])

    def commit(self) -> None:
        changes = self.state.changes()
        self.log += changes
        self.state.persist(changes)

    def restored(self) -> MemoryStore:
        """Another store, made of the changelog alone."""
        store = MemoryStore()
        PartitionState(store, []).persist(self.log)
        return store

    def start_over(self) -> None:
        self._open(self.store)


def rows_of(store: MemoryStore) -> list[dict[bytes, bytes]]:
    return [dict(store.scan(family)) for family in (layout.SEEN, layout.SEEN_BLOCKS)]


@given(ARRIVALS, ORIGINS)
def test_an_id_is_new_unless_it_came_at_about_the_same_time(arrivals, origin_ms):
    seen, taken, newest_ms = Seen(), [], None
    for number, after_ms, commits in arrivals:
        at_ms = origin_ms + after_ms
        newest_ms = at_ms if newest_ms is None else max(at_ms, newest_ms)
        apart = [abs(at_ms - then) for other, then in taken if other == number]
        new = seen.view.add(digest(number), at_ms)
        if any(distance <= WINDOW_MS for distance in apart) and at_ms > newest_ms - WINDOW_MS:
            assert not new
        if origin_ms > DAY_MS and all(distance >= 3 * WINDOW_MS for distance in apart):
            assert new
        if new:
            taken.append((number, at_ms))
        if commits:
            seen.commit()


@given(ARRIVALS, ORIGINS)
def test_an_id_within_the_memory_is_known_however_late_it_comes_again(arrivals, origin_ms):
    seen, taken = Seen(memory_ms=9 * WINDOW_MS), []
    for number, after_ms, commits in arrivals:
        at_ms = origin_ms + after_ms
        apart = [abs(at_ms - then) for other, then in taken if other == number]
        new = seen.view.add(digest(number), at_ms)
        if any(distance <= WINDOW_MS for distance in apart):
            assert not new
        if new:
            taken.append((number, at_ms))
        if commits:
            seen.commit()


@given(ARRIVALS, ORIGINS)
def test_what_the_changelog_restores_is_what_the_store_holds(arrivals, origin_ms):
    seen = Seen()
    for number, after_ms, commits in arrivals:
        seen.view.add(digest(number), origin_ms + after_ms)
        if commits:
            seen.commit()
    seen.commit()
    assert rows_of(seen.restored()) == rows_of(seen.store)
    blocks = dict(seen.store.scan(layout.SEEN_BLOCKS))
    rows = {key[:4] + value[at : at + 8] for key, value in blocks.items() for at in range(0, len(value), 8)}
    assert rows == {key for key, _ in seen.store.scan(layout.SEEN)}


def test_an_aborted_id_is_new_again_and_a_committed_one_is_not():
    seen = Seen()
    assert seen.view.add(digest(1), DAY_MS)
    seen.state.forget()
    assert seen.view.add(digest(1), DAY_MS)
    assert not seen.view.add(digest(1), DAY_MS)
    seen.commit()
    seen.start_over()
    assert not seen.view.add(digest(1), DAY_MS)


def test_generations_long_past_are_deleted_a_few_blocks_at_a_time():
    seen, blocks = Seen(), 3 * BLOCKS_EXPIRED_PER_COMMIT
    for number in range(blocks):
        seen.view.add(digest(number), DAY_MS)
        seen.commit()
    assert len(list(seen.store.scan(layout.SEEN_BLOCKS))) == blocks
    for commits in range(1, 4):
        seen.view.add(digest(1000 + commits), 2 * DAY_MS)
        seen.commit()
        left = blocks - commits * BLOCKS_EXPIRED_PER_COMMIT
        assert len(list(seen.store.scan(layout.SEEN_BLOCKS))) == left + commits
    assert len(list(seen.store.scan(layout.SEEN))) == 3
    assert rows_of(seen.restored()) == rows_of(seen.store)


@pytest.mark.parametrize("window_ms", [1, 999, 1000, 400 * DAY_MS])
@pytest.mark.parametrize("at_ms", [-(1 << 63), -1, 0, 1, 1_700_000_000_000, (1 << 63) - 1])
def test_no_time_and_no_window_is_too_much(window_ms, at_ms):
    seen = Seen(window_ms)
    assert seen.view.add(digest(1), at_ms)
    seen.commit()
    assert not seen.view.add(digest(1), at_ms)


def test_without_a_window_nothing_is_remembered():
    seen = Seen(0)
    assert seen.view.add(digest(1), DAY_MS)
    assert seen.view.add(digest(1), DAY_MS)
    assert seen.state.changes() == []
