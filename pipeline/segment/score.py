"""Names for scores in conditions."""

from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.score.keys import given_key, taken_key
from pipeline.score.scorer import Scores
from pipeline.score.trajectory import Trajectory
from pipeline.segment.drift import Growth
from pipeline.segment.facts import Facts


class ScoreOperand:
    """A score, as a number of points."""

    kind: Kind = "number"

    def __init__(self, name: str, scores: Scores) -> None:
        given, taken = given_key(name), taken_key(name)
        self.grows: dict[str, Growth] = {given: "up", taken: "down"}
        self.keys = frozenset({given, taken, "traits"} if name in scores.fit_names else {given, taken})
        self.name, self._scores = name, scores

    def read(self, facts: Facts) -> float:
        """The points; 0 where nothing was matched."""
        return trajectory_of(facts, self._scores, self.name).outlook.value()

    def convert(self, value: Value) -> float:
        """The number as it is."""
        return float(converted("number", value))

    def until(self, facts: Facts, check: Check) -> int:
        """A bucket boundary, never late."""
        return trajectory_of(facts, self._scores, self.name).due_ms(check.thresholds)


def trajectory_of(facts: Facts, scores: Scores, name: str) -> Trajectory:
    """A score from the moment of the facts on, computed once for all that read it."""
    trajectory: Trajectory = facts.once(
        ("score", name), lambda facts: scores.trajectory(name, facts.ledgers, facts.as_of_ms)
    )
    return trajectory
