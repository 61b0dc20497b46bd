"""The cursor of readers that search by time of change: windows of time, read in the order of ids. Pure.

Within a window ``[from, until]`` the page after an id is read until one is not full. So any number of objects may have
the same time, and a page costs the same wherever it is. The next window begins ``overlap`` before the end of the last,
for changes that become visible late. What was read before is recognised by what was seen of it.
"""

from typing import Final, NamedTuple

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS

START: Final = ""


class Span(NamedTuple):
    """The limits of windows, in milliseconds."""

    since: int
    """How far back the first window begins."""
    overlap: int
    delay: int
    """The end of a window is at least so long ago."""
    step: int
    """Longest window."""


class Window(msgspec.Struct, frozen=True, array_like=True):
    """One window of time, and how far it is read."""

    from_ms: int
    until_ms: int
    after: str = START
    """The last id that was read; "" at the beginning."""
    done: bool = False
    """Whether it is read to its end."""
    newest: bool = True
    """Whether it ended at the newest changes when it began."""

    def text(self) -> str:
        """Returns the cursor."""
        return msgspec.json.encode(self).decode()


def current(cursor: str, now_ms: int, span: Span) -> Window:
    """Returns the window to read next: the one of the cursor, or the one after it."""
    latest = now_ms - span.delay
    if cursor:
        window = msgspec.json.decode(cursor, type=Window)
        if not window.done:
            return window
        start, until = window.until_ms - span.overlap, max(window.until_ms, latest)
        until = min(until, window.until_ms + span.step)
        return Window(start, until, newest=until >= latest)
    return started(now_ms - span.since, now_ms, span)


def started(since_ms: int, now_ms: int, span: Span) -> Window:
    """Returns the first window of those that begin at a time."""
    latest = max(since_ms, now_ms - span.delay)
    until = min(latest, since_ms + span.step)
    return Window(since_ms, until, newest=until >= latest)


def advanced(window: Window, last_id: str, *, full: bool) -> Window:
    """Returns the window after a page. ``full``: the page may have a successor."""
    if full:
        return msgspec.structs.replace(window, after=last_id)
    return msgspec.structs.replace(window, after=START, done=True)


def is_read_to(cursor: str, until_ms: int) -> bool:
    """Returns whether the windows up to a cursor are read, and reach a time."""
    window = msgspec.json.decode(cursor, type=Window)
    return window.done and window.until_ms >= until_ms


def is_behind(window: Window) -> bool:
    """Returns whether there is more to read at once: the window is not read, or a later one is due."""
    return not (window.done and window.newest)


def span_of(since_days: float, overlap_minutes: float, delay_seconds: float, step_hours: float) -> Span:
    """Returns the limits in milliseconds."""
    return Span(
        round(since_days * DAY_MS), round(overlap_minutes * 60_000), round(delay_seconds * 1000),
        round(step_hours * HOUR_MS),
    )  # fmt: skip
