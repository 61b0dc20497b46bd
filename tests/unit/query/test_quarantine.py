"""How the DLQ is counted, and how far its replays are."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.control.replay import Position
from pipeline.query.quarantine import Entry, listing

REASONS = ("undecodable", "too_old", "too_large")


def entry(number: int, reason: str = "undecodable") -> Entry:
    return Entry(
        place=f"0:{number:05}", quarantined_at=f"2026-03-01T00:00:00.{number:03}Z", reason=reason, stage="intake",
        topic="cdp.events.web.v1", source=f"1:{number}", detail="", size_bytes=1, replayed="",
    )  # fmt: skip


def test_a_listing_counts_all_and_keeps_the_newest_first():
    result = listing((entry(number, "too_old" if number % 4 else "undecodable") for number in range(999)), 3)

    assert result.total == 999
    assert [(count["reason"], count["records"]) for count in result.counts] == [("too_old", 749), ("undecodable", 250)]
    assert [item.place for item in result.newest] == ["0:00998", "0:00997", "0:00996"]
    assert listing([entry(1)], 0).newest == []
    assert listing([], 5).total == 0


@given(st.lists(st.tuples(st.sampled_from(("", *REASONS)), st.integers(0, 30))))
def test_a_position_knows_what_each_replay_has_done_whatever_their_order(replays):
    position, done = Position(), set()
    for reason, end in replays:
        position = position.moved(reason, end)
        done |= {(item, offset) for item in REASONS if reason in ("", item) for offset in range(end)}

    assert {(item, at) for item in REASONS for at in range(31) if position.is_done(at, item)} == done
    assert all(at > position.offset for at in position.ahead.values())
