"""Rules of scores: points for behaviour. The structs are what ``scores.yaml`` is read into."""

from typing import Final

import msgspec

from pipeline.profile.duration import DAY_MS, HOUR_MS
from pipeline.profile.filter import Filter
from pipeline.profile.occurrences import Grain
from pipeline.profile.rules import unique

ENGAGEMENT: Final = "engagement"
_LONGEST_BY_HOUR_MS: Final = 14 * DAY_MS


class ScoreRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points each time a touch matches, fading by half every ``half_life``.

    Occurrences are counted by the hour (half-life up to 14d; each counts for 90 days) or by the day (longer; 400 days)
    and age in steps of that width, so a score is within a factor of 2^(width/half_life) of continuous decay.
    """

    name: str
    points: int
    """Negative for what speaks against a customer."""
    filter: Filter = Filter()
    half_life_ms: int = 7 * DAY_MS
    """At least an hour; 0 for points that never fade."""
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

    @property
    def grain(self) -> Grain:
        """Width of the buckets the rule's occurrences are counted in."""
        if not self.half_life_ms:
            return "total"
        return "hours" if self.half_life_ms <= _LONGEST_BY_HOUR_MS else "days"


class ScoreGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that together add no more than ``max_points`` to a score, and take no more than that from it."""

    name: str
    max_points: int

    def __post_init__(self) -> None:
        if not self.name or self.max_points <= 0:
            msg = f"score group {self.name!r} needs a name and max_points above 0"
            raise ValueError(msg)


class ScoreRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``scores.yaml``."""

    scores: tuple[ScoreRule, ...] = ()
    groups: tuple[ScoreGroup, ...] = ()

    def __post_init__(self) -> None:
        unique("score rule", [rule.name for rule in self.scores])
        unique("score group", [group.name for group in self.groups])
        known = {group.name for group in self.groups}
        for rule in self.scores:
            if rule.group and rule.group not in known:
                msg = f"score rule {rule.name!r} names group {rule.group!r}: declare it under groups, with max_points"
                raise ValueError(msg)
