"""Names for scores, and until when one stays on its side of a mark.

A score is what was gained less what was lost (:class:`pipeline.score.outlook.Outlook`), and both fade: it can fall as
points fade and *rise* as what spoke against somebody fades. Neither side fades faster than by half in the shortest
half-life of its rules, ages advance in whole buckets, and an occurrence is forgotten at a known age. So:

* ``score >= gained * d - lost`` and ``score <= gained - lost * d``, with ``d = 2^(-(time + width) / half_life)``;
* caps keep both true, for capping never moves two sums further apart;
* weights are rounded to 2^-20, so a side may be off by half a weight per point and occurrence, at both ends, and by
  one grid step per contribution;
* between two bucket boundaries nothing moves at all.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from pipeline.condition.due import FOREVER
from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.profile.buckets import Series
from pipeline.profile.duration import DAY_MS, HOUR_MS
from pipeline.profile.occurrences import KEEP, Occurrences
from pipeline.score.decay import GRID
from pipeline.score.outlook import Outlook
from pipeline.score.rules import ScoreRule
from pipeline.score.scorer import Scores
from pipeline.segment.facts import Facts

_ROUNDING: Final = 1.000001
"""For the floats of this module."""


class _Side:
    """The rules that give points, or those that take them, as far as a profile has matched them."""

    __slots__ = ("half_life_ms", "points")

    def __init__(self) -> None:
        self.points = 0
        """Of all matches together, as a positive number."""
        self.half_life_ms = FOREVER
        """The shortest; FOREVER if nothing fades."""


class _Aging:
    """How the occurrences of a score age."""

    __slots__ = ("forgotten_ms", "given", "narrowest_ms", "taken", "widest_ms")

    def __init__(self) -> None:
        self.given, self.taken = _Side(), _Side()
        self.narrowest_ms = self.widest_ms = 0
        """The steps in which they do; 0: nothing does."""
        self.forgotten_ms = FOREVER
        """When the next one is so old that it counts no more."""

    def add(self, points: int, half_life_ms: int, found: Occurrences, as_of_ms: int) -> None:
        """The occurrences of one rule in one ledger."""
        side = self.given if points > 0 else self.taken
        side.points += abs(points) * found.total
        if half_life_ms:
            side.half_life_ms = min(side.half_life_ms, half_life_ms)
            if found.hours is not None:
                self._age(found.hours, HOUR_MS, KEEP["hours"], as_of_ms)
            if found.days is not None:
                self._age(found.days, DAY_MS, KEEP["days"], as_of_ms)

    def _age(self, series: Series, width_ms: int, keep: int, as_of_ms: int) -> None:
        at, oldest = series.at, as_of_ms // width_ms - keep + 1
        counting = at[0] if at[0] >= oldest else at[place] if (place := bisect_left(at, oldest)) < len(at) else None
        if counting is not None:
            self.narrowest_ms = min(self.narrowest_ms or width_ms, width_ms)
            self.widest_ms = max(self.widest_ms, width_ms)
            self.forgotten_ms = min(self.forgotten_ms, (counting + keep) * width_ms)


class ScoreOperand:
    """A score, as a number of points."""

    kind: Kind = "number"

    def __init__(self, name: str, rules: Sequence[ScoreRule], scores: Scores) -> None:
        self.keys = frozenset({name})
        self._name, self._scores = name, scores
        self._rules = {rule.name: (rule.points, rule.half_life_ms) for rule in rules if rule.score == name}

    def read(self, facts: Facts) -> float:
        """The points; 0 where nothing was matched."""
        return self._outlook(facts).value()

    def convert(self, value: Value) -> float:
        """The number as it is."""
        return float(converted("number", value))

    def until(self, facts: Facts, check: Check) -> int:
        """A bucket boundary, never late."""
        aging: _Aging = facts.once((self, "aging"), self._aging)
        if not aging.narrowest_ms:
            return FOREVER
        outlook, as_of_ms = self._outlook(facts), facts.as_of_ms
        stays_ms = min([self._stays_ms(outlook, mark, aging) for mark in check.marks], default=FOREVER)
        if stays_ms >= FOREVER:
            return FOREVER
        width_ms = aging.narrowest_ms
        next_ms = (as_of_ms // width_ms + 1) * width_ms
        due_ms = -(-(as_of_ms + stays_ms) // width_ms) * width_ms
        return min(max(next_ms, due_ms), aging.forgotten_ms)

    def _outlook(self, facts: Facts) -> Outlook:
        found: Outlook = facts.once(self, lambda facts: self._scores.outlook(self._name, facts.ledgers, facts.as_of_ms))
        return found

    def _stays_ms(self, outlook: Outlook, mark: float, aging: _Aging) -> int:
        """For how long the score stays on its side of the mark; 0 on it. FOREVER: whatever fades or is forgotten."""
        value, contributions = outlook.value(), outlook.rate.rules
        at = mark * GRID
        if value > mark:
            side = aging.given
            floor = outlook.lost + math.floor(at) + 1 + side.points / GRID + contributions
            return _fading_ms(outlook.gained, floor, side.half_life_ms, aging.widest_ms)
        if value < mark:
            side = aging.taken
            floor = outlook.gained - at + side.points / GRID + contributions
            return _fading_ms(outlook.lost, floor, side.half_life_ms, aging.widest_ms)
        return 0

    def _aging(self, facts: Facts) -> _Aging:
        aging, rules = _Aging(), self._rules
        for ledger in facts.ledgers:
            for name, found in ledger.occurrences.items():
                if name in rules:
                    aging.add(*rules[name], found, facts.as_of_ms)
        return aging


def _fading_ms(amount: int, floor: float, half_life_ms: int, width_ms: int) -> int:
    """For how long what fades by half in ``half_life_ms`` stays above a floor, at least."""
    if floor <= 0 or not amount or half_life_ms >= FOREVER:
        return FOREVER
    above = amount / (floor * _ROUNDING)
    return max(0, int(half_life_ms * math.log2(above)) - width_ms) if above > 1 else 0
