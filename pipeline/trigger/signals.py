"""Signals: the conditions that triggers watch, with the bounds within which they need no new evaluation.

A signal has two conditions: the one that fires its trigger, and the opposite one that re-arms it.
"""

from collections.abc import Collection
from typing import NamedTuple, Protocol

from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.score.outlook import Outlook
from pipeline.score.scorer import Scores
from pipeline.trigger.rules import SegmentTrigger, TriggerRule


class SignalCheck(NamedTuple):
    """The result of a condition; if false, the bounds within which it stays false."""

    holds: bool
    due_ms: int = FOREVER
    """The moment, in ms, before which time alone cannot make it true."""
    headroom: int = FOREVER
    """Points that can be given before it can become true."""


class Signal(Protocol):
    """The signal of one trigger."""

    def fires(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """Checks the condition that fires an armed trigger."""
        ...

    def re_arms(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """Checks the condition that arms a trigger: before its first firing if it starts unarmed, and after each."""
        ...


class ScoreSignal:
    """A score and its two thresholds."""

    def __init__(self, rule: TriggerRule, scores: Scores) -> None:
        self._rule, self._scores, self._crossing = rule, scores, scores.crossing(rule.score)

    def fires(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """Checks whether the score has reached ``high``; of a falling trigger, whether it is below ``low``."""
        return self._falls(row, as_of_ms) if self._rule.falling else self._reaches(row, as_of_ms)

    def re_arms(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """Checks whether the score is below ``low``; of a falling trigger, whether it has reached ``high``."""
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
    """The thresholds of a score in segment conditions. They bound due time and headroom as those of triggers do."""

    def __init__(self, score: str, thresholds: Collection[float], scores: Scores) -> None:
        self._score, self._thresholds = score, sorted(thresholds)
        self._scores, self._crossing = scores, scores.crossing(score)

    def check(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:
        """Returns the due time and the headroom within which the score crosses none of the thresholds."""
        ledgers = row.ledgers()
        outlook = self._scores.outlook(self._score, ledgers, as_of_ms)
        value = outlook.value()
        due_ms = self._crossing.due_ms(
            outlook, self._thresholds, as_of_ms, lambda: self._crossing.aging(ledgers, as_of_ms)
        )
        above = [outlook.headroom(threshold) for threshold in self._thresholds if value <= threshold]
        return SignalCheck(holds=False, due_ms=due_ms, headroom=min(above, default=FOREVER))


class SegmentSignal:
    """The membership of a segment, read from the row. Nothing is due, because every change of the row is evaluated."""

    def __init__(self, rule: SegmentTrigger) -> None:
        self._segment, self._fires_inside = rule.segment, rule.change == "entered"

    def fires(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:  # noqa: ARG002 - the row is up to date
        """Checks whether the profile is inside; of an exit trigger, outside."""
        return SignalCheck(self._inside(row) is self._fires_inside)

    def re_arms(self, row: ProfileRow, as_of_ms: int) -> SignalCheck:  # noqa: ARG002 - the row is up to date
        """Checks the opposite of ``fires``."""
        return SignalCheck(self._inside(row) is not self._fires_inside)

    def _inside(self, row: ProfileRow) -> bool:
        membership = row.segments.get(self._segment)
        return membership is not None and membership.inside
