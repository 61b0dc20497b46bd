"""Scores with their contributions. A score is defined as the sum of the contributions of its rules and caps."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.fold import gathered
from pipeline.profile.ledger import Ledger
from pipeline.profile.occurrences import Occurrences
from pipeline.profile.ports import Contribution, Score
from pipeline.profile.rule_booking import CountedRule
from pipeline.score.decay import GRID, WEIGHT, Weigher
from pipeline.score.fit import Fit, grade
from pipeline.score.keys import given_key, taken_key
from pipeline.score.rules import ScoreRule, ScoreRules
from pipeline.score.trajectory import FINER, Share, Trajectory, clamp

CAP: Final = "cap"
"""Rule name of the contribution that takes back the excess over a group's cap."""

Term: TypeAlias = tuple[str, str, int, int]
"""(rule, group, points in 1/GRID, occurrences)."""


class _Rule:
    """A compiled score rule."""

    def __init__(self, rule: ScoreRule, place: int) -> None:
        self.name, self.group, self.score, self.place = rule.name, rule.group, rule.score, place
        self._points, self._max_points = rule.points, rule.max_points * GRID
        self._half_life_ms = rule.half_life_ms
        self._weigher = Weigher(rule.half_life_ms, rule.max_occurrences, rule.grain)

    def points(self, parts: Sequence[Occurrences], hour: int, day: int) -> int:
        """Returns the contribution of the rule in 1/GRID, before the cap of its group."""
        hourly, daily = self._weigher.weigh(parts, hour, day)
        return clamp(self._points * (hourly + daily) // FINER, self._max_points)

    def share(self, parts: Sequence[Occurrences], hour: int, day: int) -> Share:
        """Returns the same contribution as the start of a trajectory."""
        hourly, daily = self._weigher.weigh(parts, hour, day)
        return self.group, self._points, self._max_points, hourly, daily, self._half_life_ms, parts


class Scores:
    """Reads the scores of a profile. Equal touches and moments give equal floats, in any order of arrival.

    ``as_of_ms`` must not be before the newest touch. Reading iterates over the profile's occurrences instead of over
    the rules, because a profile matches few of them. Fit scores are read from the traits.
    """

    def __init__(self, rules: ScoreRules) -> None:
        self._rules = {rule.name: _Rule(rule, place) for place, rule in enumerate(rules.scores)}
        self._fit, self._grades = Fit(rules.fit), rules.grades
        self.fit_names = frozenset(rule.score for rule in rules.fit)
        """The scores of fit rules, which change with traits and not with bookings."""
        self._names = tuple(sorted({rule.score for rule in rules.scores} | self.fit_names))
        self._zeros = dict.fromkeys(self._names, 0)
        self._caps = {group.name: group.max_points * GRID for group in rules.groups}
        self._by_score = {
            name: {rule_name: rule for rule_name, rule in self._rules.items() if rule.score == name}
            for name in self._names
        }
        every = [rule.score for rule in rules.scores] + [rule.score for rule in rules.fit]
        self._contributions = {name: every.count(name) + len(rules.groups) for name in self._names}
        self.counted = tuple(
            CountedRule(rule.name, rule.filter, rule.grain, rule.points, _key(rule)) for rule in rules.scores
        )
        """The occurrences that the ledgers must count for these scores."""

    def names(self) -> tuple[str, ...]:
        """Returns the names of all scores, sorted."""
        return self._names

    def trajectory(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> Trajectory:
        """Returns the course of one score from a moment on: its value, and when time alone crosses thresholds."""
        hour, day = as_of_ms // HOUR_MS, as_of_ms // DAY_MS
        shares = [rule.share(parts, hour, day) for rule, parts in _matched(self._by_score[name], ledgers)]
        if name in self.fit_names:
            fits = [fit for fit, _ in self._fit.matching(ledgers) if fit.score == name]
            shares += [(fit.group, fit.points, 0, WEIGHT, 0, 0, ()) for fit in fits]
        return Trajectory(shares, self._caps, self._contributions[name], as_of_ms)

    def values(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """Returns every score by name, without the contributions."""
        hour, day = as_of_ms // HOUR_MS, as_of_ms // DAY_MS
        totals = dict(self._zeros)
        groups: dict[tuple[str, str], int] = {}
        for rule, parts in _matched(self._rules, ledgers):
            points = rule.points(parts, hour, day)
            if rule.group:
                at = rule.score, rule.group
                groups[at] = groups.get(at, 0) + points
            else:
                totals[rule.score] += points
        for fit, points in self._fit.matching(ledgers) if self.fit_names else ():
            if fit.group:
                at = fit.score, fit.group
                groups[at] = groups.get(at, 0) + points
            else:
                totals[fit.score] += points
        for (score, group), points in groups.items():
            totals[score] += clamp(points, self._caps[group])
        return {name: total / GRID for name, total in totals.items()}

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> list[Score]:
        """Returns every score, sorted by name, with its contributions: the rules in their order, then the caps.

        The contributions sum to the score exactly, in any order of addition.
        """
        return [_score(name, terms) for name, terms in self._terms(ledgers, as_of_ms).items()]

    def read_one(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> Score:
        """Returns one score as :meth:`read` does."""
        return _score(name, self._terms(ledgers, as_of_ms)[name])

    def grade(self, values: Mapping[str, float]) -> str:
        """Returns the grade for scores from :meth:`values`; "" if the rules declare no grades."""
        grades = self._grades
        return grade(grades, values[grades.fit], values[grades.engagement]) if grades else ""

    def _terms(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, list[Term]]:
        """Returns the contributions by score: of the rules that ever matched, and of the caps in effect."""
        hour, day = as_of_ms // HOUR_MS, as_of_ms // DAY_MS
        terms: dict[str, list[Term]] = {name: [] for name in self._names}
        groups: dict[tuple[str, str], int] = {}
        for rule, parts in sorted(_matched(self._rules, ledgers), key=_place):
            points = rule.points(parts, hour, day)
            total = parts[0].total if len(parts) == 1 else sum([part.total for part in parts])
            terms[rule.score].append((rule.name, rule.group, points, total))
        for fit, points in self._fit.matching(ledgers):
            terms[fit.score].append((fit.name, fit.group, points, 1))
        for name, terms_of_score in terms.items():
            for _, group, points, _ in terms_of_score:
                if group:
                    groups[name, group] = groups.get((name, group), 0) + points
        for (score, group), points in groups.items():
            excess = points - clamp(points, self._caps[group])
            if excess:
                terms[score].append((CAP, group, -excess, 0))
        return terms


def _matched(rules: Mapping[str, _Rule], ledgers: Sequence[Ledger]) -> list[tuple[_Rule, list[Occurrences]]]:
    """Returns (rule, its occurrences) for each rule that the ledgers have occurrences of."""
    if len(ledgers) == 1:  # the usual case
        return [(rules[name], [part]) for name, part in ledgers[0].occurrences.items() if name in rules]
    gathered_counts = gathered([ledger.occurrences for ledger in ledgers], rules)
    return [(rules[name], parts) for name, parts in gathered_counts.items()]


def _key(rule: ScoreRule) -> str:
    return given_key(rule.score) if rule.points > 0 else taken_key(rule.score)


def _place(matched: tuple[_Rule, list[Occurrences]]) -> int:
    return matched[0].place


def _score(name: str, terms: Sequence[Term]) -> Score:
    contributions = tuple(Contribution(rule, group, points / GRID, total) for rule, group, points, total in terms)
    return Score(name, sum([points for _, _, points, _ in terms]) / GRID, contributions)
