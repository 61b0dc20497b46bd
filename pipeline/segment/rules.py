"""Rules of segments: named questions. The structs are what ``segments.yaml`` is read into."""

import msgspec

from pipeline.condition.grammar import parse
from pipeline.event.form import ConditionName, ConditionText
from pipeline.profile.rules import unique


class SegmentRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everybody for whom ``when`` holds, as long as it does: people come and go as events happen and time passes."""

    name: ConditionName
    """What other segments (``segment.NAME``), triggers and downstream services call it."""
    when: ConditionText
    """A condition over aggregates (``spent.EUR over 30 d >= 500``, ``order_value.p90 > 80``; the first or last
    ``timestamp_ms`` and kind time_since are how long ago, as in ``last_order_at > 90 d``; of sessions ``.sessions``,
    ``.events``, ``.bounced``, ``.duration``, ``.longest``, ``.open``, ``.last_start`` and ``.last_end``; of purchases
    ``.EUR.orders``, ``.days``, ``.total``, ``.repeat``, ``.first_day`` and ``.last_day``; ``top_categories over 90 d
    contains "shoes"``), ratios (``email_open_rate over 30 d >= 0.2``), ``score.NAME``, ``grade`` (``"A1"``),
    ``prediction.NAME`` (churn_risk, purchase_probability, expected_purchases, expected_value_minor, rfm),
    ``cart.status`` (none, open, abandoned), ``cart.items``, ``cart.amount.EUR``, ``cart.since`` and ``cart.updated``
    (how long ago), ``traits.NAME``, ``consent.PURPOSE/CHANNEL``, ``identifier.TYPE``, ``first_touch`` and
    ``last_touch`` (how long ago; also ``.channel`` and ``.campaign``) and ``segment.NAME``."""
    description: str = ""
    """For people."""

    def __post_init__(self) -> None:
        parse(self.when)


class SegmentRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``segments.yaml``."""

    segments: tuple[SegmentRule, ...] = ()

    def __post_init__(self) -> None:
        unique("segment", [rule.name for rule in self.segments])
