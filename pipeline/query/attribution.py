"""The attribution report: conversions and revenue credited to marketing, and its cost, over all stored profiles."""

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
"""The line of conversions without a marketing touch before them."""
_NEVER_MS: Final = 1 << 62
"""In place of the first sighting of costs, which have none: the spelling of a touch goes first."""
UNNAMED: Final = "(unnamed)"
"""The line of touches and costs without a campaign or source."""
TOTAL: Final = "total"


class Line(NamedTuple):
    """One campaign, channel or source."""

    name: str
    conversions: float
    """The credited conversions, fractions included."""
    revenue_minor: dict[str, int]
    """Currency to minor units."""
    cost_minor: dict[str, int]
    """Currency to minor units."""
    cost_per_acquisition_minor: dict[str, int]
    """Currency to cost per credited conversion in minor units, rounded; empty without conversions."""


class Report(msgspec.Struct):
    """The credit of every conversion under one model, and the costs. Sums are exact integers, rounded when read."""

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
        """Adds the conversions and costs of one profile. ``only`` names the conversions to add; ``""`` adds all."""
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
        """Returns the lines by falling credit, lines of equal credit by name."""
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
    """Returns the report over all current profiles. ``only`` restricts it to the conversions of one name."""
    report = Report(model, by)
    for _, row in rows:
        if row.anchors:  # a profile merged into another one holds no ledgers
            ledgers = row.ledgers()
            report.add(attribution_of(ledgers, rules), costs_of(ledgers), only)
    return report


def report_view(report: Report) -> dict[str, Any]:
    """Returns the report as JSON values."""
    return {
        "model": report.model,
        "by": report.by,
        "profiles": report.profiles,
        "conversions": report.conversions,
        "lines": [line._asdict() for line in report.lines()],
        "total": report.total()._asdict(),
    }
