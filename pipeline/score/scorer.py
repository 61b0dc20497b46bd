"""Scores with their contributions: each score is, by definition, the sum of what its rules and caps contribute."""

from collections.abc import Sequence
from typing import Final

from pipeline.profile.booking import Counted
from pipeline.profile.ledger import Ledger, Occurrences
from pipeline.profile.ports import Contribution, Score
from pipeline.score.decay import faded, on_grid
from pipeline.score.rules import ScoreRule, ScoreRules

CAP: Final = "cap"
"""The rule name of the line that takes away what a group's rules exceed its cap by."""


class Scores:
    """Reads every score of the rules: the same touches and moment give the same floats, in any order of arrival."""

    def __init__(self, rules: ScoreRules) -> None:
        self._by_score: dict[str, tuple[ScoreRule, ...]] = {
            name: tuple(rule for rule in rules.scores if rule.score == name)
            for name in sorted({rule.score for rule in rules.scores})
        }
        self._caps = {group.name: float(group.max_points) for group in rules.groups}
        self.counted = tuple(Counted(rule.name, rule.filter, rule.grain) for rule in rules.scores)
        """What the ledgers must count for these scores."""

    def names(self) -> tuple[str, ...]:
        """The scores there are, in order."""
        return tuple(self._by_score)

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> list[Score]:
        """Every score in the order of their names; its contributions in the order of the rules, then the caps."""
        return [self.read_one(name, ledgers, as_of_ms) for name in self._by_score]

    def read_one(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> Score:
        """One score. The sum of its contributions equals its value exactly, however they are added."""
        contributions = []
        groups: dict[str, float] = {}
        for rule in self._by_score[name]:
            parts = [found for ledger in ledgers if (found := ledger.occurrences.get(rule.name)) is not None]
            if parts:
                contribution = self._contribution(rule, parts, as_of_ms)
                contributions.append(contribution)
                if rule.group:
                    groups[rule.group] = groups.get(rule.group, 0.0) + contribution.points
        for group, points in groups.items():
            excess = points - max(-self._caps[group], min(self._caps[group], points))
            if excess:
                contributions.append(Contribution(CAP, group, -excess, 0))
        return Score(name, sum([c.points for c in contributions], 0.0), tuple(contributions))

    def value(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> float:
        """The score alone."""
        return self.read_one(name, ledgers, as_of_ms).value

    def may_reach(self, name: str, ledgers: Sequence[Ledger], points: float) -> bool:
        """False if the score cannot be as high as ``points`` now, by a bound that needs no decay and no buckets."""
        most = 0
        for rule in self._by_score[name]:
            if rule.points > 0:
                for ledger in ledgers:
                    found = ledger.occurrences.get(rule.name)
                    if found is not None:
                        most += rule.points * found.total
        # a group's cap line can give back what negative rules took beyond the cap, never more than they took
        return most >= points

    def _contribution(self, rule: ScoreRule, parts: list[Occurrences], as_of_ms: int) -> Contribution:
        points = rule.points * faded(parts, rule.half_life_ms, rule.max_occurrences, as_of_ms)
        if rule.max_points:
            points = max(-float(rule.max_points), min(float(rule.max_points), points))
        return Contribution(rule.name, rule.group, on_grid(points), sum([part.total for part in parts]))
