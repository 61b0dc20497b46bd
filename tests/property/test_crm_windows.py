"""Windows of time in the order of ids: whatever the polls, pages and late commits, every object is read."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.crm.window import advanced, current, is_behind, span_of

SPAN = span_of(since_days=1, overlap_minutes=10, delay_seconds=30, step_hours=2)
MINUTE_MS = 60_000
START_MS = 1_800_000_000_000

objects = st.lists(st.integers(0, 300), max_size=60)
"""Minute of the change of each object; several may share it."""
late = st.lists(st.integers(0, 9), max_size=60)
"""Minutes after its change at which each object becomes visible: less than the overlap."""


@given(objects, late, st.lists(st.integers(1, 90), min_size=1, max_size=12), st.integers(1, 7))
def test_every_object_that_becomes_visible_within_the_overlap_is_read(changed, late_by, polls, page):
    late_by = late_by + [0] * len(changed)
    rows = [
        (number + 1, START_MS + minute * MINUTE_MS, START_MS + (minute + late_by[number]) * MINUTE_MS)
        for number, minute in enumerate(changed)
    ]
    read, cursor, now_ms, pages = set(), "", START_MS, 0
    for wait in [*polls, 400]:
        now_ms += wait * MINUTE_MS
        while True:
            pages += 1
            assert pages < 2_000, "it does not end"
            window = current(cursor, now_ms, SPAN)
            found = [
                number
                for number, at_ms, visible_ms in rows
                if visible_ms <= now_ms
                and window.from_ms <= at_ms <= window.until_ms
                and number > int(window.after or 0)
            ][:page]
            read |= set(found)
            window = advanced(window, str(found[-1]) if found else "", full=len(found) == page)
            cursor = window.text()
            if not is_behind(window):
                break
    assert read == {number for number, _, _ in rows}


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=20))
def test_windows_leave_no_gap_and_never_go_beyond_the_delay(waits):
    cursor, now_ms, reached = "", START_MS, START_MS + waits[0] - SPAN.since
    for wait in waits:
        now_ms += wait
        while True:
            window = current(cursor, now_ms, SPAN)
            assert window.from_ms <= reached
            assert window.until_ms <= max(now_ms - SPAN.delay, reached)
            assert window.until_ms - reached <= SPAN.step
            reached = max(reached, window.until_ms)
            cursor = advanced(window, "", full=False).text()
            if not is_behind(advanced(window, "", full=False)):
                break
    assert reached == now_ms - SPAN.delay
