"""Arrivals: attribution counts how often marketing brought a customer, not how many events of the visit repeat it.

Signs of one arrival on the site or in the app are the same campaign, source, medium and ad click, in any case, or no
more than the same referrer. They belong to one visit if they lie in the same half hour of the clock or in neighbouring
ones, as do those that a chain of such touches joins. What is kept is the earliest of each half hour: a function of the
set of events, in any order of booking.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.event.duration import MINUTE_MS
from pipeline.profile.journey.lines import Line, fields_of, time_of

VISIT_MS: Final = 30 * MINUTE_MS
_SITE: Final = frozenset({"web", "app"})
_Arrival = tuple[str, str, str, str, str]
"""Channel, campaign, source, medium and click; for a referrer alone the source is that referrer."""


def is_first_of_visit(touches: list[Line], line: Line) -> bool:
    """Whether a line stands for a half hour of its own. One that is earlier than its like takes its place, in place."""
    arrival = _arrival_of(line)
    if arrival is None:
        return True
    half_hour = time_of(line) // VISIT_MS
    for place in range(len(touches) - 1, -1, -1):
        known = touches[place]
        known_half_hour = time_of(known) // VISIT_MS
        if known_half_hour < half_hour:
            return True
        if known_half_hour == half_hour and _arrival_of(known) == arrival:
            if line < known:
                del touches[place]
                insort(touches, line)
            return False
    return True


def first_of_half_hours(lines: Iterable[Line]) -> list[Line]:
    """The earliest line of each arrival and half hour, of lines in their order."""
    seen: set[tuple[_Arrival, int]] = set()
    result: list[Line] = []
    for line in lines:
        arrival = _arrival_of(line)
        if arrival is not None:
            place = (arrival, time_of(line) // VISIT_MS)
            if place in seen:
                continue
            seen.add(place)
        result.append(line)
    return result


def arrivals(lines: Iterable[Line]) -> Iterator[Line]:
    """The first line of each visit, of lines in their order; lines of other channels than site and app all stand."""
    last: dict[_Arrival, int] = {}
    for line in lines:
        arrival = _arrival_of(line)
        if arrival is None:
            yield line
            continue
        half_hour = time_of(line) // VISIT_MS
        channel, referrer = arrival[0], fields_of(line)[-1].casefold()
        alone: _Arrival = (channel, "", referrer, "", "")
        if half_hour - last.get(arrival, half_hour - 2) > 1:
            yield line
        last[arrival] = half_hour
        if referrer:  # page views after the landing page repeat no more than its referrer
            last[alone] = half_hour


def _arrival_of(line: Line) -> _Arrival | None:
    """What distinguishes arrivals; None where every touch stands for itself."""
    _, _, channel, _, campaign, source, medium, click, referrer = fields_of(line)
    if channel not in _SITE:
        return None
    if source == referrer and (campaign or medium or click):  # where the campaign names no source, the referrer is it
        source = ""
    return channel, campaign.casefold(), source.casefold(), medium.casefold(), click
