"""Rules of scores: points for behaviour. The structs are what ``scores.yaml`` is read into."""

from typing import Final

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.event.form import Duration
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.occurrences import Grain
from pipeline.profile.rules import unique

ENGAGEMENT: Final = "engagement"
FIT: Final = "fit"
LETTERS: Final = "ABCD"
DIGITS: Final = "1234"
_MAX_BY_HOUR_MS: Final = 14 * DAY_MS
_MAX_BY_DAY_MS: Final = 60 * DAY_MS
_MAX_HALF_LIFE_MS: Final = 730 * DAY_MS
"""With each of them an occurrence weighs less than 1 % when the last bucket it is counted in is gone."""


class ScoreRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points each time a touch matches, fading by half every ``half_life``.

    Occurrences are counted by the hour (half-life up to 14d; each counts for 94 days) or by the day (longer; 400 days)
    and age in steps of that width, so a score is within a factor of 2^(width/half_life) of continuous decay. With a
    half-life above 60d they are counted by the week for another 12 years. A point counts until less than 1 % is left.
    """

    name: str
    points: int
    """Negative for what speaks against a customer."""
    filter: Filter = Filter()
    half_life_ms: Duration = 7 * DAY_MS
    """From an hour to 730 d; 0 for points that never fade."""
    score: str = ENGAGEMENT
    group: str = ""
    """Rules of one group share its cap."""
    max_occurrences: int = 0
    """Only the newest this many count; 0: all."""
    max_points: int = 0
    """The rule adds (or takes) no more than this; 0: no limit."""

    def __post_init__(self) -> None:
        if self.points == 0:
            msg = f"score rule {self.name!r} gives 0 points: leave it out, or give points"
            raise ValueError(msg)
        if self.max_occurrences < 0 or self.max_points < 0:
            msg = f"score rule {self.name!r}: caps are written as positive numbers (0: none)"
            raise ValueError(msg)
        if self.half_life_ms and self.half_life_ms < HOUR_MS:
            msg = f"half_life of score rule {self.name!r} is below an hour, the width of the count: write 1 h or more"
            raise ValueError(msg)
        if self.half_life_ms > _MAX_HALF_LIFE_MS:
            days = _MAX_HALF_LIFE_MS // DAY_MS
            msg = (
                f"half_life of score rule {self.name!r} is longer than occurrences are kept for: write {days} d or "
                "less, or 0 for points that never fade"
            )
            raise ValueError(msg)

    @property
    def grain(self) -> Grain:
        """Width of the buckets the rule's occurrences are counted in."""
        if not self.half_life_ms:
            return "total"
        if self.half_life_ms <= _MAX_BY_HOUR_MS:
            return "hours"
        return "days" if self.half_life_ms <= _MAX_BY_DAY_MS else "weeks"


class ScoreGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that together add no more than ``max_points`` to a score, and take no more than that from it."""

    name: str
    max_points: int

    def __post_init__(self) -> None:
        if not self.name or self.max_points <= 0:
            msg = f"score group {self.name!r} needs a name and max_points above 0"
            raise ValueError(msg)


class FitRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points for who somebody is, as their traits say. They do not fade."""

    name: str
    points: int
    """Negative for what speaks against a customer."""
    where: tuple[Condition, ...] = ()
    """Conditions on ``traits.…``, which must all hold."""
    score: str = FIT
    group: str = ""
    """Rules of one group share its cap."""

    def __post_init__(self) -> None:
        if self.points == 0:
            msg = f"fit rule {self.name!r} gives 0 points: leave it out, or give points"
            raise ValueError(msg)
        if not self.where:
            msg = f"where of fit rule {self.name!r} is missing: add a condition, as in field: traits.country"
            raise ValueError(msg)
        for condition in self.where:
            if not condition.field.startswith("traits."):
                msg = f"where of fit rule {self.name!r} names {condition.field!r}: write traits. and the trait's name"
                raise ValueError(msg)


class Grades(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mark for both: a letter for who somebody is, a digit for what they do, from A1 (best) to D4."""

    letters: tuple[float, float, float] = (75, 50, 25)
    """From so many points of the fit score on: A, B, C; below the last, D."""
    digits: tuple[float, float, float] = (70, 40, 15)
    """From so many points of the engagement score on: 1, 2, 3; below the last, 4."""
    fit: str = FIT
    engagement: str = ENGAGEMENT

    def __post_init__(self) -> None:
        for name, steps in (("letters", self.letters), ("digits", self.digits)):
            if not steps[0] > steps[1] > steps[2]:
                msg = f"{name} of grades do not fall: write the best first, as in [75, 50, 25]"
                raise ValueError(msg)


class ScoreRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``scores.yaml``."""

    scores: tuple[ScoreRule, ...] = ()
    groups: tuple[ScoreGroup, ...] = ()
    fit: tuple[FitRule, ...] = ()
    grades: Grades | None = None

    def __post_init__(self) -> None:
        every: tuple[ScoreRule | FitRule, ...] = (*self.scores, *self.fit)
        unique("score rule", [rule.name for rule in every])
        unique("score group", [group.name for group in self.groups])
        known = {group.name for group in self.groups}
        for rule in every:
            if rule.group and rule.group not in known:
                msg = f"score rule {rule.name!r} names group {rule.group!r}: declare it under groups, with max_points"
                raise ValueError(msg)
        mixed = {rule.score for rule in self.scores} & {rule.score for rule in self.fit}
        if mixed:
            msg = f"score {min(mixed)!r} has rules for behaviour and for fit: keep them apart, grades join them"
            raise ValueError(msg)
        names = {rule.score for rule in every}
        for name in (self.grades.fit, self.grades.engagement) if self.grades else ():
            if name not in names:
                msg = f"grades name the score {name!r}: no rule gives it points"
                raise ValueError(msg)
