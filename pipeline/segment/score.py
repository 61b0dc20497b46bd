"""Operands for scores."""

from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.score.crossing import Aging
from pipeline.score.keys import given_key, taken_key
from pipeline.score.outlook import Outlook
from pipeline.score.scorer import Scores
from pipeline.segment.drift import Growth
from pipeline.segment.facts import Facts


class ScoreOperand:
    """A score, as a number of points."""

    kind: Kind = "number"

    def __init__(self, name: str, scores: Scores) -> None:
        given, taken = given_key(name), taken_key(name)
        self.grows: dict[str, Growth] = {given: "up", taken: "down"}
        self.keys = frozenset({given, taken, "traits"} if name in scores.fit_names else {given, taken})
        self.name, self._scores, self._crossing = name, scores, scores.crossing(name)

    def read(self, facts: Facts) -> float:
        """Returns the points; 0 if no rule has matched."""
        return self._outlook(facts).value()

    def convert(self, value: Value) -> float:
        """Returns the literal's number."""
        return float(converted("number", value))

    def until(self, facts: Facts, check: Check) -> int:
        """Returns a bucket boundary; may be early, never late."""
        return self._crossing.due_ms(
            self._outlook(facts), check.thresholds, facts.as_of_ms, lambda: facts.once((self, "aging"), self._aging)
        )

    def _outlook(self, facts: Facts) -> Outlook:
        outlook: Outlook = facts.once(
            self, lambda facts: self._scores.outlook(self.name, facts.ledgers, facts.as_of_ms)
        )
        return outlook

    def _aging(self, facts: Facts) -> Aging:
        return self._crossing.aging(facts.ledgers, facts.as_of_ms)
