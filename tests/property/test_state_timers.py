"""The timer view against a plain set of entries, over commits, aborts and crashes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.state.timers import TimerView
from pipeline.testing.store import MemoryStore

IDS = ("a", "b", "c")
STEPS = st.lists(
    st.tuples(st.sampled_from(("put", "put", "take", "commit", "abort", "crash")), st.integers(0, 2**30)), max_size=60
)


@given(STEPS)
@settings(max_examples=300)
def test_entries_are_handed_out_once_in_time_whatever_is_committed_or_thrown_away(steps: list[tuple[str, int]]) -> None:
    store = MemoryStore()
    view = TimerView(store)
    durable: set[tuple[int, str]] = set()
    entries = set(durable)
    for what, bits in steps:
        chance = random.Random(bits)
        if what == "put":
            entry = chance.randrange(1, 50), chance.choice(IDS)
            view.schedule(*entry)
            entries.add(entry)
        elif what == "take":
            until, limit = chance.randrange(60), chance.randrange(1, 6)
            result = view.take(until, limit)
            due = {entry for entry in entries if entry[0] <= until}
            assert set(result) <= due
            assert result == sorted(result)
            assert len(result) == len(set(result)) == min(limit, len(due))
            entries -= set(result)
        elif what == "commit":
            store.apply(view.changes(), 0)
            view.committed()
            durable = set(entries)
        else:
            if what == "abort":
                view.forget()
            else:
                view = TimerView(store)
            entries = set(durable)
    assert set(view.take(60, 1000)) == entries


def test_before_all_time_nothing_is_due() -> None:
    """A replay that has read nothing yet is at 0 less the lateness it allows for."""
    view = TimerView(MemoryStore())
    view.schedule(1, "a")
    assert view.take(-86_400_000, 10) == []
    assert view.take(1, 10) == [(1, "a")]
