"""Signals: the conditions that triggers watch, with the bounds within which they need no new evaluation.

A signal has two conditions: the one that fires its trigger, and the opposite one that re-arms it.
"""

from collections.abc import Collection
from typing import Final, NamedTuple, Protocol

from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.score.scorer import Scores
from pipeline.segment.facts import Facts
from pipeline.segment.score import trajectory_of
from pipeline.trigger.rules import SegmentTrigger, TriggerRule


class SignalCheck(NamedTuple):
    """The result of a condition; if false, the bounds within which it stays false."""

    holds: bool
    due_ms: int = FOREVER
    """The moment, in ms, before which time alone cannot make it true."""
    headroom: int = FOREVER
    """Points that can be given before it can become true."""
    threshold: float | None = None
    """A value that the trigger's score must cross before it can become true; None if no such value bounds it."""


HOLDS: Final = SignalCheck(holds=True)
HOLDS_NOT: Final = SignalCheck(holds=False)


class Signal(Protocol):
    """The signal of one trigger."""

    def fires(self, row: ProfileRow, facts: Facts) -> SignalCheck:
        """Checks the condition that fires an armed trigger."""
        ...

    def re_arms(self, row: ProfileRow, facts: Facts) -> SignalCheck:
        """Checks the condition that arms a trigger: before its first firing if it starts unarmed, and after each."""
        ...


class ScoreSignal:
    """A score and its two thresholds."""

    def __init__(self, rule: TriggerRule, scores: Scores) -> None:
        self._rule, self._scores = rule, scores
        self._above_low = SignalCheck(holds=False, threshold=rule.low)

    def fires(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the ledgers decide
        """Checks whether the score has reached ``high``; of a falling trigger, whether it is below ``low``."""
        return self._falls(facts) if self._rule.falling else self._reaches(facts)

    def re_arms(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the ledgers decide
        """Checks whether the score is below ``low``; of a falling trigger, whether it has reached ``high``."""
        return self._reaches(facts) if self._rule.falling else self._falls(facts)

    def _reaches(self, facts: Facts) -> SignalCheck:
        trajectory, high = trajectory_of(facts, self._scores, self._rule.score), self._rule.high
        if trajectory.value >= high:
            return HOLDS
        return SignalCheck(False, FOREVER, trajectory.outlook.headroom(high), high)  # by place: ten for every touch

    def _falls(self, facts: Facts) -> SignalCheck:
        trajectory = trajectory_of(facts, self._scores, self._rule.score)
        return HOLDS if trajectory.value < self._rule.low else self._above_low


class ScoreThresholds:
    """The thresholds of a score in segment conditions. They bound the headroom as those of triggers do."""

    def __init__(self, score: str, thresholds: Collection[float], scores: Scores) -> None:
        self._score, self._thresholds, self._scores = score, sorted(thresholds), scores

    def headroom(self, facts: Facts) -> int:
        """Returns the points that can be given before the score can reach any threshold that it is not above."""
        trajectory = trajectory_of(facts, self._scores, self._score)
        outlook, value = trajectory.outlook, trajectory.value
        above = [outlook.headroom(threshold) for threshold in self._thresholds if value <= threshold]
        return min(above, default=FOREVER)


class SegmentSignal:
    """The membership of a segment, read from the row. Nothing is due, because every change of the row is evaluated."""

    def __init__(self, rule: SegmentTrigger) -> None:
        self._segment, self._fires_inside = rule.segment, rule.change == "entered"

    def fires(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the row is up to date
        """Checks whether the profile is inside; of an exit trigger, outside."""
        return HOLDS if self._inside(row) is self._fires_inside else HOLDS_NOT

    def re_arms(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the row is up to date
        """Checks the opposite of ``fires``."""
        return HOLDS if self._inside(row) is not self._fires_inside else HOLDS_NOT

    def _inside(self, row: ProfileRow) -> bool:
        membership = row.segments.get(self._segment)
        return membership is not None and membership.inside
