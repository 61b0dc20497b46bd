"""What triggers watch: whether it holds now, and how long nobody need look again.

A signal answers for the two turns of its trigger, the one that fires and the one that re-arms.
"""

from collections.abc import Collection
from typing import NamedTuple, Protocol

from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.score.outlook import Outlook
from pipeline.score.scorer import Scores
from pipeline.trigger.rules import SegmentTrigger, TriggerRule


class SignalCheck(NamedTuple):
    """Whether a turn has come; if not, before when, and before how many points more, it cannot."""

    holds: bool
    due_ms: int = FOREVER
    headroom: int = FOREVER


class Signal(Protocol):
    """One trigger's view of a profile."""

    def fires(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """What it waits for when armed."""
        ...

    def re_arms(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """What it waits for when it has fired, or must be armed first."""
        ...


class ScoreSignal:
    """A score between its thresholds."""

    def __init__(self, rule: TriggerRule, scores: Scores) -> None:
        self._rule, self._scores, self._crossing = rule, scores, scores.crossing(rule.score)

    def fires(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """Reaching the high threshold, or falling below the low one."""
        return self._falls(row, as_of_ms) if self._rule.falling else self._reaches(row, as_of_ms)

    def re_arms(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """The opposite."""
        return self._reaches(row, as_of_ms) if self._rule.falling else self._falls(row, as_of_ms)

    def _outlook(self, row: ProfileRow, as_of_ms: int) -> Outlook:
        return self._scores.outlook(self._rule.score, row.ledgers(), as_of_ms)

    def _reaches(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        outlook, high = self._outlook(row, as_of_ms), self._rule.high
        if outlook.value() >= high:
            return SignalCheck(holds=True)
        return SignalCheck(
            holds=False, due_ms=self._due_ms(outlook, high, row, as_of_ms), headroom=outlook.headroom(high)
        )

    def _falls(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        outlook, low = self._outlook(row, as_of_ms), self._rule.low
        if outlook.value() < low:
            return SignalCheck(holds=True)
        return SignalCheck(holds=False, due_ms=self._due_ms(outlook, low, row, as_of_ms))

    def _due_ms(self, outlook: Outlook, threshold: float, row: ProfileRow, as_of_ms: int) -> int:
        aging = self._crossing.aging
        return self._crossing.due_ms(outlook, (threshold,), as_of_ms, lambda: aging(row.ledgers(), as_of_ms))


class ScoreThresholds:
    """The thresholds of a score that segments wait for: no trigger, but looked at when a trigger with them would be."""

    def __init__(self, score: str, thresholds: Collection[float], scores: Scores) -> None:
        self._score, self._thresholds = score, sorted(thresholds)
        self._scores, self._crossing = scores, scores.crossing(score)

    def check(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """Before when, and before how many points more, the score can be on another side of none of them."""
        ledgers = row.ledgers()
        outlook = self._scores.outlook(self._score, ledgers, as_of_ms)
        value = outlook.value()
        due_ms = self._crossing.due_ms(
            outlook, self._thresholds, as_of_ms, lambda: self._crossing.aging(ledgers, as_of_ms)
        )
        above = [outlook.headroom(threshold) for threshold in self._thresholds if value <= threshold]
        return SignalCheck(holds=False, due_ms=due_ms, headroom=min(above, default=FOREVER))


class SegmentSignal:
    """Membership of a segment, as the row tells it; when that changes it is known, so nothing is due here."""

    def __init__(self, rule: SegmentTrigger) -> None:
        self._segment, self._fires_inside = rule.segment, rule.change == "entered"

    def fires(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:  # noqa: ARG002 - the row knows
        """Entering, or leaving."""
        return SignalCheck(self._inside(row) is self._fires_inside)

    def re_arms(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:  # noqa: ARG002 - the row knows
        """The opposite."""
        return SignalCheck(self._inside(row) is not self._fires_inside)

    def _inside(self, row: ProfileRow) -> bool:
        membership = row.segments.get(self._segment)
        return membership is not None and membership.inside
