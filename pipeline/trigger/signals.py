"""What triggers watch: whether it holds now, and how long nobody need look again.

A signal answers for the two turns of its trigger, the one that fires and the one that re-arms.
"""

from collections.abc import Collection
from typing import Final, NamedTuple, Protocol

from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.score.scorer import Scores
from pipeline.segment.facts import Facts
from pipeline.segment.score import trajectory_of
from pipeline.trigger.rules import SegmentTrigger, TriggerRule


class SignalCheck(NamedTuple):
    """Whether a turn has come; if not, before when, and before how many points more, it cannot."""

    holds: bool
    due_ms: int = FOREVER
    headroom: int = FOREVER
    threshold: float | None = None
    """It cannot come before the trigger's score crosses this either."""


HOLDS: Final = SignalCheck(holds=True)
HOLDS_NOT: Final = SignalCheck(holds=False)


class Signal(Protocol):
    """One trigger's view of a profile."""

    def fires(self, row: ProfileRow, facts: Facts) -> SignalCheck:
        """What it waits for when armed."""
        ...

    def re_arms(self, row: ProfileRow, facts: Facts) -> SignalCheck:
        """What it waits for when it has fired, or must be armed first."""
        ...


class ScoreSignal:
    """A score between its thresholds."""

    def __init__(self, rule: TriggerRule, scores: Scores) -> None:
        self._rule, self._scores = rule, scores
        self._above_low = SignalCheck(holds=False, threshold=rule.low)

    def fires(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the ledgers decide
        """Reaching the high threshold, or falling below the low one."""
        return self._falls(facts) if self._rule.falling else self._reaches(facts)

    def re_arms(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the ledgers decide
        """The opposite."""
        return self._reaches(facts) if self._rule.falling else self._falls(facts)

    def _reaches(self, facts: Facts) -> SignalCheck:
        outlook, high = trajectory_of(facts, self._scores, self._rule.score).outlook, self._rule.high
        if outlook.value() >= high:
            return HOLDS
        return SignalCheck(holds=False, headroom=outlook.headroom(high), threshold=high)

    def _falls(self, facts: Facts) -> SignalCheck:
        outlook = trajectory_of(facts, self._scores, self._rule.score).outlook
        return HOLDS if outlook.value() < self._rule.low else self._above_low


class ScoreThresholds:
    """The thresholds of a score that segments wait for."""

    def __init__(self, score: str, thresholds: Collection[float], scores: Scores) -> None:
        self._score, self._thresholds, self._scores = score, sorted(thresholds), scores

    def headroom(self, facts: Facts) -> int:
        """How many points more can be given before the score can reach any of them that it is not above."""
        outlook = trajectory_of(facts, self._scores, self._score).outlook
        value = outlook.value()
        above = [outlook.headroom(threshold) for threshold in self._thresholds if value <= threshold]
        return min(above, default=FOREVER)


class SegmentSignal:
    """Membership of a segment, as the row tells it; when that changes it is known, so nothing is due here."""

    def __init__(self, rule: SegmentTrigger) -> None:
        self._segment, self._fires_inside = rule.segment, rule.change == "entered"

    def fires(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the row knows
        """Entering, or leaving."""
        return HOLDS if self._inside(row) is self._fires_inside else HOLDS_NOT

    def re_arms(self, row: ProfileRow, facts: Facts) -> SignalCheck:  # noqa: ARG002 - the row knows
        """The opposite."""
        return HOLDS if self._inside(row) is not self._fires_inside else HOLDS_NOT

    def _inside(self, row: ProfileRow) -> bool:
        membership = row.segments.get(self._segment)
        return membership is not None and membership.inside
