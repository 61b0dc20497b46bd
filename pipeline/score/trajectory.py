"""A score from a moment on, if nothing but time passes: its value now, and when it can cross a threshold.

What was gained fades and lowers the score; what was lost fades and *raises* it. Each rule's share is known in closed
form, ``points * weight * 2^(-steps * width / half_life)``, so that a crossing is computed: by Newton's method on the
logarithm of the side that fades, which is convex and therefore never passed over, with the other side as it stands.

* A cap scales down what it limits, and that does not move before the sum behind it has faded to the cap.
* A score moves at the boundaries of hours and days alone, so only these are moments of a crossing.
* Weights are rounded to 2^-20 and shares to the grid: a moment may be a little early, never late.
* An occurrence that is forgotten, and a week that takes the place of its days, change a share at once: there another
  trajectory begins.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.occurrences import COUNTS, DAYS_A_WEEK, WEEK_MS, Occurrences
from pipeline.profile.row import FOREVER
from pipeline.score.decay import GRID, WEIGHT, first_week
from pipeline.score.outlook import Outlook
from pipeline.score.sides import Sides

FINER: Final = WEIGHT // GRID
_MAX_STEPS: Final = 64
"""Of Newton's method. A moment that needs more is given as it is then: early."""
_MAX_JUMPS: Final = 16
"""Over which a crossing is computed. One that comes later is given as the moment of the next jump."""


class Share(NamedTuple):
    """What one rule contributes when the trajectory begins, before its group's cap."""

    group: str
    points: int
    """Of a match; negative for what is taken."""
    most: int
    """The rule's own cap in 1/GRID; 0: none."""
    hourly: int
    """Weight of the matches that age by the hour, in 1/WEIGHT."""
    daily: int
    """Weight of the matches that age by the day."""
    half_life_ms: int = 0
    """0: nothing fades."""
    parts: Sequence[Occurrences] = ()

    def exact(self) -> int:
        """In 1/GRID."""
        return clamp(self.points * (self.hourly + self.daily) // FINER, self.most)


class Trajectory:
    """One score of one profile. ``as_of_ms`` must not be before the newest touch."""

    def __init__(
        self,
        shares: Sequence[Share],
        caps: Mapping[str, int],
        contributions: int,
        as_of_ms: int,
        begun_at: "Callable[[int], Trajectory]",
    ) -> None:
        """``caps``: of groups, in 1/GRID. ``contributions``: how many the score can have.

        ``begun_at``: the trajectory of the same ledgers from a later moment on.
        """
        self._shares, self._caps, self._as_of_ms, self._begun_at = shares, caps, as_of_ms, begun_at
        self.outlook: Final = _outlook(shares, caps, contributions)
        self._jump_ms = 0

    def due_ms(self, thresholds: Collection[float]) -> int:
        """A boundary after ``as_of_ms`` before which the score crosses none of the thresholds; FOREVER if none."""
        gained, lost, _ = self.outlook
        value = (gained - lost) / GRID
        due_ms = FOREVER
        below = [threshold for threshold in thresholds if threshold <= value] if gained else ()
        if below:
            due_ms = self._reaches_ms(max(below), 1)
        above = [threshold for threshold in thresholds if threshold >= value] if lost else ()
        if above and self.outlook.headroom(min(above)) <= 0:
            due_ms = min(due_ms, self._reaches_ms(min(above), -1))
        return due_ms

    def _reaches_ms(self, threshold: float, sign: int, jumps: int = _MAX_JUMPS) -> int:
        """The boundary at which the score may first be below (sign 1) or above (sign -1) a threshold."""
        if not self._jump_ms:
            self._jump_ms = min([_jump_ms(share, self._as_of_ms) for share in self._shares], default=FOREVER)
        at_ms, limit = self._as_of_ms, sign * threshold * GRID
        width_ms = HOUR_MS if any([share.hourly and share.half_life_ms for share in self._shares]) else DAY_MS
        for _ in range(_MAX_STEPS):
            sides = self._sides(at_ms, sign)
            if at_ms > self._as_of_ms and sides.can_have_reached(limit):
                return at_ms
            stays_ms = sides.stays_ms(limit, DAY_MS - at_ms % DAY_MS)
            if stays_ms >= FOREVER:
                return FOREVER
            at_ms = max(-(-(at_ms + int(stays_ms)) // width_ms), at_ms // width_ms + 1) * width_ms
            if at_ms >= self._jump_ms:
                return self._reaches_after_jump_ms(threshold, sign, jumps)
        return at_ms

    def _reaches_after_jump_ms(self, threshold: float, sign: int, jumps: int) -> int:
        later = self._begun_at(self._jump_ms)
        if not jumps or sign * (later.outlook.value() - threshold) <= 0:
            return self._jump_ms
        return later._reaches_ms(threshold, sign, jumps - 1)  # noqa: SLF001 - its own class

    def _sides(self, at_ms: int, sign: int) -> Sides:
        """What was gained and what was lost at a moment; with sign -1 the two change places."""
        start_ms = self._as_of_ms
        hours_ms = (at_ms // HOUR_MS - start_ms // HOUR_MS) * HOUR_MS
        days_ms = (at_ms // DAY_MS - start_ms // DAY_MS) * DAY_MS
        whole = Sides()
        groups: dict[str, Sides] = {}
        for group, points, most, hourly, daily, half_life_ms, parts in self._shares:
            sides = whole
            if group:
                sides = groups.get(group) or groups.setdefault(group, Sides())
            points_per_weight = sign * points / FINER
            if not half_life_ms:
                sides.add_lasting(_clamped(points_per_weight * hourly, most))
                continue
            amount = daily and points_per_weight * daily * 2.0 ** (-days_ms / half_life_ms)
            if hourly:
                amount += points_per_weight * hourly * 2.0 ** (-hours_ms / half_life_ms)
            into_step_ms = at_ms % (DAY_MS if daily else HOUR_MS)
            unsure = 1 + abs(points_per_weight) * sum([part.total for part in parts])
            by_day = not hourly
            sides.add_fading(amount, most, half_life_ms, into_step_ms, unsure, by_day=by_day)
        for group, sides in groups.items():
            whole.join(sides, self._caps[group])
        return whole


def clamp(points: int, limit: int) -> int:
    """Points between a limit and its negative; 0: no limit."""
    return max(-limit, min(limit, points)) if limit else points


def _clamped(amount: float, limit: int) -> float:
    return max(-limit, min(limit, amount)) if limit else amount


def _outlook(shares: Sequence[Share], caps: Mapping[str, int], contributions: int) -> Outlook:
    gained = lost = 0
    groups: dict[str, int] = {}
    for share in shares:
        points = share.exact()
        if points > 0:
            gained += points
        else:
            lost -= points
        if share.group:
            groups[share.group] = groups.get(share.group, 0) + points
    for group, points in groups.items():
        excess = points - clamp(points, caps[group])
        if excess > 0:
            lost += excess
        else:
            gained -= excess
    return Outlook(gained, lost, contributions)


def _jump_ms(share: Share, as_of_ms: int) -> int:
    """When the next occurrences of a rule are forgotten, or the next week takes the place of its days."""
    jump_ms = FOREVER
    if not share.half_life_ms:
        return jump_ms
    for part in share.parts:
        counted = ((HOUR_MS, COUNTS["hours"], part.hours), (WEEK_MS, COUNTS["weeks"], part.weeks))
        for width_ms, most, series in (*counted, (DAY_MS, COUNTS["days"], None if part.weeks else part.days)):
            if series is not None:
                oldest = _oldest(series.at, as_of_ms // width_ms - most + 1)
                jump_ms = min(jump_ms, FOREVER if oldest is None else (oldest + most) * width_ms)
        if part.weeks is not None:
            week = _oldest(part.weeks.at, first_week(as_of_ms // DAY_MS))
            if week is not None:
                jump_ms = min(jump_ms, ((week + 1) * DAYS_A_WEEK + COUNTS["days"] - 1) * DAY_MS)
    return jump_ms


def _oldest(buckets: Sequence[int], first: int) -> int | None:
    """The oldest bucket that is not older than ``first``."""
    place = bisect_left(buckets, first)
    return buckets[place] if place < len(buckets) else None
