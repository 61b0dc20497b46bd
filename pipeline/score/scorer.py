"""Scores with their contributions: each score is, by definition, the sum of what its rules and caps contribute."""

from collections.abc import Sequence
from typing import Final

from pipeline.profile.booking import Counted
from pipeline.profile.ledger import Ledger
from pipeline.profile.ports import Contribution, Score
from pipeline.score.decay import GRID, WEIGHT, weigh
from pipeline.score.outlook import Outlook, rate_of
from pipeline.score.rules import ScoreRule, ScoreRules

CAP: Final = "cap"
"""The rule name of the line that takes away what a group's rules exceed its cap by."""
_FINER: Final = WEIGHT // GRID


class Scores:
    """Reads every score of the rules: the same touches and moment give the same floats, in any order of arrival.

    ``as_of_ms`` must not be before the newest touch.
    """

    def __init__(self, rules: ScoreRules) -> None:
        self._by_score: dict[str, tuple[ScoreRule, ...]] = {
            name: tuple(rule for rule in rules.scores if rule.score == name)
            for name in sorted({rule.score for rule in rules.scores})
        }
        self._caps = {group.name: group.max_points * GRID for group in rules.groups}
        self._rates = {name: rate_of(rules) for name, rules in self._by_score.items()}
        self.counted = tuple(Counted(rule.name, rule.filter, rule.grain, rule.points) for rule in rules.scores)
        """What the ledgers must count for these scores."""

    def names(self) -> tuple[str, ...]:
        """The scores there are, in order."""
        return tuple(self._by_score)

    def outlook(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> Outlook:
        """The score with bounds on where it can go, for who would rather not compute it at every touch."""
        terms = self._terms(name, ledgers, as_of_ms)
        for_ = sum([at for _, _, at, _ in terms if at > 0])
        against = -sum([at for _, _, at, _ in terms if at < 0])
        return Outlook(for_, against, self._rates[name])

    def values(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """Every score by name, without telling why."""
        return {name: sum([at[2] for at in self._terms(name, ledgers, as_of_ms)]) / GRID for name in self._by_score}

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> list[Score]:
        """Every score in the order of their names; its contributions in the order of the rules, then the caps."""
        return [self.read_one(name, ledgers, as_of_ms) for name in self._by_score]

    def read_one(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> Score:
        """One score. The sum of its contributions equals its value exactly, however they are added."""
        terms = self._terms(name, ledgers, as_of_ms)
        contributions = tuple(Contribution(rule, group, at / GRID, count) for rule, group, at, count in terms)
        return Score(name, sum([at for _, _, at, _ in terms]) / GRID, contributions)

    def _terms(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> list[tuple[str, str, int, int]]:
        """(rule, group, points in 1/GRID, occurrences) of each rule that ever matched, and of each cap that acts."""
        terms = []
        groups: dict[str, int] = {}
        for rule in self._by_score[name]:
            key = rule.name
            parts = [ledger.occurrences[key] for ledger in ledgers if key in ledger.occurrences]
            if not parts:
                continue
            points = rule.points * weigh(parts, rule.half_life_ms, rule.max_occurrences, as_of_ms) // _FINER
            if rule.max_points:
                points = _clamp(points, rule.max_points * GRID)
            terms.append((key, rule.group, points, sum([part.total for part in parts])))
            if rule.group:
                groups[rule.group] = groups.get(rule.group, 0) + points
        for group, points in groups.items():
            excess = points - _clamp(points, self._caps[group])
            if excess:
                terms.append((CAP, group, -excess, 0))
        return terms


def _clamp(points: int, most: int) -> int:
    return max(-most, min(most, points))
