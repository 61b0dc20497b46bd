"""Score rules: points for behaviour and for traits. ``scores.yaml`` is read into these structs."""

from typing import Annotated, Final, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.event.form import ConditionName, Duration
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
"""Up to these half-lives, an occurrence weighs less than 1 % when the last bucket it is counted in is dropped."""
_MAX_POINTS: Final = 1_000_000
"""So that the sum of all rules and occurrences is a whole number that a float holds exactly."""
Points: TypeAlias = Annotated[int, msgspec.Meta(ge=-_MAX_POINTS, le=_MAX_POINTS)]
Cap: TypeAlias = Annotated[int, msgspec.Meta(le=_MAX_POINTS)]


class ScoreRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points for each matching touch, halved every ``half_life``.

    With a half-life of up to 14 days, occurrences are counted by the hour and count for 94 days. With a longer one,
    they are counted by the day and count for 400 days; above 60 days, they are then counted by the week for another 12
    years. So an occurrence counts until less than 1 % of its points is left. Occurrences age in steps of an hour or a
    day, so a score is within a factor of 2^(width/half_life) of continuous decay.
    """

    name: str
    points: Points
    """Points per touch. Negative points lower the score."""
    filter: Filter = Filter()
    """The touches that match."""
    half_life_ms: Duration = 7 * DAY_MS
    """Time after which half of the points are left. From an hour to 730 days; 0 for points that never fade."""
    score: ConditionName = ENGAGEMENT
    """The score that gets the points."""
    group: str = ""
    """The group of the rule. The rules of a group share its cap."""
    max_occurrences: Cap = 0
    """Number of newest occurrences that count; 0 for all."""
    max_points: Cap = 0
    """Maximum number of points that the rule adds or takes; 0 for no limit."""

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
        """The width of the buckets in which the rule's occurrences are counted."""
        if not self.half_life_ms:
            return "total"
        if self.half_life_ms <= _MAX_BY_HOUR_MS:
            return "hours"
        return "days" if self.half_life_ms <= _MAX_BY_DAY_MS else "weeks"


class ScoreGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Caps several rules together: they add at most ``max_points`` to a score, and take at most that from it."""

    name: str
    max_points: Cap

    def __post_init__(self) -> None:
        if not self.name or self.max_points <= 0:
            msg = f"score group {self.name!r} needs a name and max_points above 0"
            raise ValueError(msg)


class FitRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points for a customer's traits. They do not fade."""

    name: str
    points: Points
    """Points while the conditions hold. Negative points lower the score."""
    where: tuple[Condition, ...] = ()
    """Conditions on ``traits.…``, which must all hold."""
    score: ConditionName = FIT
    """The score that gets the points."""
    group: str = ""
    """The group of the rule. The rules of a group share its cap."""

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
    """One grade for fit and engagement: a letter for fit and a digit for engagement, from A1 (best) to D4."""

    letters: tuple[float, float, float] = (75, 50, 25)
    """Minimum points of the fit score for A, B and C; below the last, D."""
    digits: tuple[float, float, float] = (70, 40, 15)
    """Minimum points of the engagement score for 1, 2 and 3; below the last, 4."""
    fit: str = FIT
    """The score that the letter grades."""
    engagement: str = ENGAGEMENT
    """The score that the digit grades."""

    def __post_init__(self) -> None:
        for name, steps in (("letters", self.letters), ("digits", self.digits)):
            if not steps[0] > steps[1] > steps[2]:
                msg = f"{name} of grades are not in descending order: write the best first, as in [75, 50, 25]"
                raise ValueError(msg)


class ScoreRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``scores.yaml``."""

    scores: tuple[ScoreRule, ...] = ()
    """Points for behaviour."""
    groups: tuple[ScoreGroup, ...] = ()
    """Caps over several rules."""
    fit: tuple[FitRule, ...] = ()
    """Points for traits."""
    grades: Grades | None = None
    """How to grade fit and engagement; without it customers have no grade."""

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
