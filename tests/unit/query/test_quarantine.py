"""How the DLQ is counted, and how far its replays are."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.control.replay import Position
from pipeline.query.quarantine import MAX_SEEN_ITEMS, Entry, SeenItems, listing

REASONS = ("undecodable", "too_old", "too_large")


def entry(number: int, reason: str = "undecodable", item: str = "") -> Entry:
    return Entry(
        place=f"0:{number:05}", quarantined_at=f"2026-03-01T00:00:00.{number:03}Z", reason=reason, stage="intake",
        topic="cdp.events.web.v1", source=f"1:{number}", detail="", size_bytes=1, replayed="", item=item,
    )  # fmt: skip


def test_a_listing_counts_all_and_keeps_the_newest_first():
    result = listing((entry(number, "too_old" if number % 4 else "undecodable") for number in range(999)), 3)

    assert result.total == 999
    assert [(count["reason"], count["records"]) for count in result.counts] == [("too_old", 749), ("undecodable", 250)]
    assert [item.place for item in result.newest] == ["0:00998", "0:00997", "0:00996"]
    assert listing([entry(1)], 0).newest == []
    assert listing([], 5).total == 0


def test_an_item_that_was_sent_again_counts_once_and_the_listing_says_so():
    result = listing([entry(1, item="a"), entry(2, item="b"), entry(3, item="a"), entry(4), entry(5)], 9)

    assert (result.total, result.repeats) == (4, 1)
    assert sorted(one.place for one in result.newest) == ["0:00001", "0:00002", "0:00004", "0:00005"]


def test_items_are_forgotten_oldest_first():
    seen = SeenItems()
    assert not any(seen.is_repeat(str(number)) for number in range(MAX_SEEN_ITEMS + 1))
    assert seen.is_repeat("1")
    assert not seen.is_repeat("0")


@given(st.lists(st.tuples(st.sampled_from(("", *REASONS)), st.integers(0, 30))))
def test_a_position_knows_what_each_replay_has_done_whatever_their_order(replays):
    position, done = Position(), set()
    for reason, end in replays:
        position = position.moved(reason, end)
        done |= {(item, offset) for item in REASONS if reason in ("", item) for offset in range(end)}

    assert {(item, at) for item in REASONS for at in range(31) if position.is_done(at, item)} == done
    assert all(at > position.offset for at in position.ahead.values())
