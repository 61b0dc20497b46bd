"""Operands for scores."""

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
        """Returns the points; 0 if no rule has matched."""
        return trajectory_of(facts, self._scores, self.name).value

    def convert(self, value: Value) -> float:
        """Returns the literal's number."""
        return float(converted("number", value))

    def until(self, facts: Facts, check: Check) -> int:
        """Returns a bucket boundary; may be early, never late."""
        return trajectory_of(facts, self._scores, self.name).due_ms(check.thresholds)


def trajectory_of(facts: Facts, scores: Scores, name: str) -> Trajectory:
    """Returns the trajectory of a score from the moment of the facts on. It is computed once per facts."""
    trajectory = facts.trajectories.get(name)
    if trajectory is None:
        trajectory = facts.trajectories[name] = scores.trajectory(name, facts.ledgers, facts.as_of_ms)
    return trajectory
