"""Segment rules: named conditions. ``segments.yaml`` is read into these structs."""

import msgspec

from pipeline.condition.grammar import parse
from pipeline.event.form import ConditionName, ConditionText
from pipeline.profile.rules import unique


class SegmentRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A segment: the customers for which ``when`` holds. They enter and leave it as events happen and time passes."""

    name: ConditionName
    """The name by which other segments (``segment.NAME``), triggers and downstream services refer to the segment."""
    when: ConditionText
    """The condition. It may use aggregates (``spent.EUR over 30 d >= 500``, ``order_value.p90 > 80``, ``top_categories
    over 90 d contains "shoes"``). The first or last ``timestamp_ms`` and the kind time_since are read as the time since
    then, as in ``last_order_at > 90 d``. Parts of sessions are ``.sessions``, ``.events``, ``.bounced``, ``.duration``,
    ``.longest``, ``.open``, ``.last_start`` and ``.last_end``; parts of purchases are ``.EUR.orders``, ``.days``,
    ``.total``, ``.repeat``, ``.first_day`` and ``.last_day``. Other names are ratios (``email_open_rate >= 0.2``),
    ``score.NAME``, ``grade`` (``"A1"``), ``prediction.NAME`` (churn_risk, purchase_probability, expected_purchases,
    expected_value_minor, rfm), ``cart.status`` (none, open, abandoned), ``cart.items``, ``cart.amount.EUR``,
    ``cart.since`` and ``cart.updated`` (times since), ``traits.NAME``, ``consent.PURPOSE/CHANNEL``,
    ``identifier.TYPE``, ``first_touch`` and ``last_touch`` (times since; also ``.channel`` and ``.campaign``), and
    ``segment.NAME``."""
    description: str = ""
    """A description for people; it has no effect."""

    def __post_init__(self) -> None:
        parse(self.when)


class SegmentRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``segments.yaml``."""

    segments: tuple[SegmentRule, ...] = ()

    def __post_init__(self) -> None:
        unique("segment", [rule.name for rule in self.segments])
