"""The attribution report: what marketing has led to and what it has cost, over all stored profiles."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from pipeline.profile.journey.attribution import Converted, Cost, MarketingTouch, attribution_of, costs_of, minor_of
from pipeline.profile.journey.credit import WHOLE
from pipeline.profile.journey.rules import AttributionRules
from pipeline.profile.row import ProfileRow

By: TypeAlias = Literal["campaign", "channel", "source"]
NO_MARKETING: Final = "(no marketing)"
"""Conversions to which no marketing touch led."""
_NEVER_MS: Final = 1 << 62
"""Costs do not say when they were first seen: the spelling of a touch goes before theirs."""
UNNAMED: Final = "(unnamed)"
"""Touches and costs that do not say their campaign or source."""
TOTAL: Final = "total"


class Line(NamedTuple):
    """One campaign, channel or source."""

    name: str
    conversions: float
    """Credited: parts of conversions count as parts."""
    revenue_minor: dict[str, int]
    """By currency, in minor units; so are the costs."""
    cost_minor: dict[str, int]
    cost_per_acquisition_minor: dict[str, int]
    """Cost by the conversions credited, rounded; without conversions there is none."""


class Report(msgspec.Struct):
    """What every conversion is credited to under one model, and what was spent; summed exactly, rounded when read."""

    model: str
    by: By
    profiles: int = 0
    conversions: int = 0
    credit: Counter[str] = msgspec.field(default_factory=Counter)
    """Millionths of conversions by name."""
    revenue: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    """Minor units by (name, currency)."""
    cost: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    """Millionths of the currency's unit by (name, currency)."""
    spelling: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    """Each name in lower case, as which names are compared, to when it was first seen and how it was spelt then."""

    def add(self, converted: Iterable[Converted], costs: Iterable[Cost], only: str) -> None:
        """The conversions (of one name, or ``""`` for all) and the costs of one profile."""
        self.profiles += 1
        name_of = _NAMES[self.by]
        for conversion in converted:
            if only in {"", conversion.name}:
                self._convert(conversion, name_of)
        for cost in costs:
            self.cost[self._key(name_of(cost), _NEVER_MS), cost.currency] += cost.micros

    def _convert(self, converted: Converted, name_of: Callable[[MarketingTouch | Cost], str]) -> None:
        self.conversions += 1
        parts = [
            (self._key(name_of(c.touch), c.touch.timestamp_ms), c.credit[self.model], c.value_minor[self.model])
            for c in converted.journey
        ]
        for name, credit, value_minor in parts or [(NO_MARKETING, WHOLE, converted.value_minor)]:
            self.credit[name] += credit
            if converted.currency:
                self.revenue[name, converted.currency] += value_minor

    def _key(self, name: str, timestamp_ms: int) -> str:
        key = name.casefold()
        self.spelling[key] = min(self.spelling.get(key, (timestamp_ms, name)), (timestamp_ms, name))
        return key

    def lines(self) -> list[Line]:
        """The most credited first; of equal ones in the order of their names."""
        names = {*self.credit, *(name for name, _ in self.cost)}
        ordered = sorted(names, key=lambda name: (-self.credit[name], name))
        return [self._line(self.spelling.get(name, (0, name))[1], {name}) for name in ordered]

    def total(self) -> Line:
        """The sum of all lines; its cost per acquisition is all cost by all conversions."""
        return self._line(TOTAL, {*self.credit, *(name for name, _ in [*self.cost, *self.revenue])})

    def _line(self, label: str, names: Collection[str]) -> Line:
        credit = sum(self.credit[name] for name in names)
        spent = _by_currency(self.cost, names)
        cost_per_unit = {
            currency: minor_of(micros * WHOLE // credit, currency) for currency, micros in spent.items() if credit
        }
        earned = _by_currency(self.revenue, names)
        costs = {currency: minor_of(micros, currency) for currency, micros in spent.items()}
        return Line(label, credit / WHOLE, earned, costs, cost_per_unit)


def _by_currency(amounts: Counter[tuple[str, str]], names: Collection[str]) -> dict[str, int]:
    """The sums of some names, in the order of the currencies."""
    sums: Counter[str] = Counter()
    for (name, currency), amount in amounts.items():
        if name in names:
            sums[currency] += amount
    return dict(sorted(sums.items()))


_NAMES: Final[dict[By, Callable[[MarketingTouch | Cost], str]]] = {
    "campaign": lambda marketing_touch: marketing_touch.campaign or UNNAMED,
    "channel": lambda marketing_touch: marketing_touch.channel,
    "source": lambda marketing_touch: marketing_touch.source or UNNAMED,
}


def attribution_report(
    rows: Iterable[tuple[str, ProfileRow]], rules: AttributionRules, model: str, by: By, only: str = ""
) -> Report:
    """Every current profile's conversions, or those of one name. Profiles merged into others hold no ledgers."""
    report = Report(model, by)
    for _, row in rows:
        if row.anchors:
            ledgers = row.ledgers()
            report.add(attribution_of(ledgers, rules), costs_of(ledgers), only)
    return report


def report_view(report: Report) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "model": report.model,
        "by": report.by,
        "profiles": report.profiles,
        "conversions": report.conversions,
        "lines": [line._asdict() for line in report.lines()],
        "total": report.total()._asdict(),
    }
