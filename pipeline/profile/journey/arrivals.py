"""Arrivals: attribution counts each visit from marketing once, although many events of the visit repeat its signs.

Two touches on the site or in the app have the same arrival if their campaign, source, medium and ad click are equal,
ignoring case, or if they have only the same referrer. Touches of one arrival belong to one visit if they lie in the
same or in neighbouring half hours of the clock, or are connected by a chain of such touches. A ledger keeps the
earliest touch of each half hour, which depends only on the set of events and not on the order of booking.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from pipeline.event.duration import MINUTE_MS
from pipeline.profile.journey.lines import Line, fields_of, time_of

VISIT_MS: Final = 30 * MINUTE_MS
_REMEMBERED: Final = 1 << 14
_SITE: Final = frozenset({"web", "app"})
_Arrival = tuple[str, str, str, str, str]
"""Channel, campaign, source, medium and click. With only a referrer, the source is the referrer."""


def is_first_of_visit(touches: list[Line], line: Line) -> bool:
    """Returns whether a line is the first of its arrival and half hour. Replaces a later line of the same, in place."""
    arrival, half_hour = _place_of(line)
    if arrival is None:
        return True
    for place in range(len(touches) - 1, -1, -1):
        known = touches[place]
        known_arrival, known_half_hour = _place_of(known)
        if known_half_hour < half_hour:
            return True
        if known_half_hour == half_hour and known_arrival == arrival:
            if line < known:
                del touches[place]
                insort(touches, line)
            return False
    return True


def first_of_half_hours(lines: Iterable[Line]) -> list[Line]:
    """Returns the earliest line of each arrival and half hour. ``lines`` must be sorted."""
    seen: set[tuple[_Arrival | None, int]] = set()
    result: list[Line] = []
    for line in lines:
        place = _place_of(line)
        if place[0] is not None:
            if place in seen:
                continue
            seen.add(place)
        result.append(line)
    return result


def arrivals(lines: Iterable[Line]) -> Iterator[Line]:
    """Yields the first line of each visit, and every line of channels other than site and app. Expects sorted lines."""
    last: dict[_Arrival, int] = {}
    for line in lines:
        arrival, half_hour = _place_of(line)
        if arrival is None:
            yield line
            continue
        channel, referrer = arrival[0], fields_of(line)[-1].casefold()
        alone: _Arrival = (channel, "", referrer, "", "")
        if half_hour - last.get(arrival, half_hour - 2) > 1:
            yield line
        last[arrival] = half_hour
        if referrer:  # page views after the landing page repeat only its referrer
            last[alone] = half_hour


@lru_cache(maxsize=_REMEMBERED)
def _place_of(line: Line) -> tuple[_Arrival | None, int]:
    """Returns arrival and half hour of a line. Cached: every touch of a visit is compared with the line before."""
    return _arrival_of(line), time_of(line) // VISIT_MS


def _arrival_of(line: Line) -> _Arrival | None:
    """Returns the key that identifies an arrival; None for channels in which every touch is its own arrival."""
    _, _, channel, _, campaign, source, medium, click, referrer = fields_of(line)
    if channel not in _SITE:
        return None
    if source == referrer and (campaign or medium or click):  # the source is the referrer if the campaign names none
        source = ""
    return channel, campaign.casefold(), source.casefold(), medium.casefold(), click
