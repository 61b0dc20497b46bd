"""A naive evaluation of every name in conditions, as the expected result for segments."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from pipeline.condition.grammar import parse
from pipeline.condition.syntax import Among, And, Compare, Expression, Known, Not, Or, Truth
from pipeline.event.duration import DAY_MS
from pipeline.profile.aggregates import AggregateReader
from pipeline.profile.fold import campaign_of, consent_of, first_touch, identifiers_of, last_touch, traits_of
from pipeline.profile.journey.cart import cart_of, cart_view
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment.rules import SegmentRules
from tests.property.condition_worlds import means as means_in

_PURCHASES = {"orders": "orders", "days": "days", "total": "total_minor", "repeat": "repeat_minor"}
_SESSIONS = {"duration": "duration_ms", "longest": "longest_ms"}
_AGO = {"last_start": "last_start_ms", "last_end": "last_end_ms"}


class Naive:
    """Reads every name as the profile's own views do, one at a time, and evaluates trees without the compiler."""

    def __init__(
        self, rules: SegmentRules, aggregates: AggregateRules, scores: ScoreRules, journeys: JourneyRules
    ) -> None:
        self._ratios = {rule.name: rule for rule in aggregates.ratios}
        self._carts = journeys.carts
        self._segments = {rule.name: parse(rule.when) for rule in rules.segments}
        self._aggregates = {rule.name: rule for rule in aggregates.aggregates}
        self._scores = Scores(scores)

    def standings(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, bool]:
        return {name: self._means(tree, ledgers, as_of_ms) for name, tree in self._segments.items()}

    def _means(self, truth: Expression, ledgers: Sequence[Ledger], as_of_ms: int) -> bool:
        if isinstance(truth, Not):
            return not self._means(truth.part, ledgers, as_of_ms)
        if isinstance(truth, And | Or):
            result = [self._means(part, ledgers, as_of_ms) for part in truth.parts]
            return all(result) if isinstance(truth, And) else any(result)
        return means_in(self._in_minor_units(truth), _At(self._value(truth, ledgers, as_of_ms)))  # type: ignore[arg-type]

    def _value(self, truth: Truth | Compare | Among | Known, ledgers: Sequence[Ledger], as_of_ms: int) -> Any:
        root, *rest = truth.name.path
        if root == "segment":
            return self._means(self._segments[rest[0]], ledgers, as_of_ms)
        if root == "score":
            return self._scores.values(ledgers, as_of_ms)[rest[0]]
        if root == "grade":
            return self._scores.grade(self._scores.values(ledgers, as_of_ms))
        if root == "cart":
            return self._cart(rest, ledgers, as_of_ms)
        if root in PERSON:
            return _of_person(root, rest, ledgers, as_of_ms)
        window_ms = truth.name.window_ms
        if root in self._ratios:
            of, to = (
                self._aggregate(
                    name, rest if self._aggregates[name].field == "amount" else [], window_ms, ledgers, as_of_ms
                )
                for name in (self._ratios[root].of, self._ratios[root].to)
            )
            return of / to if to else None
        return self._aggregate(root, rest, window_ms, ledgers, as_of_ms)

    def _cart(self, rest: list[str], ledgers: Sequence[Ledger], as_of_ms: int) -> Any:
        result = cart_view(cart_of(ledgers, self._carts, as_of_ms))
        if rest[0] == "amount":
            return result["amounts_minor"].get(rest[1], 0)
        if rest[0] in {"since", "updated"}:
            at_ms = result[f"{rest[0]}_ms"]
            return as_of_ms - at_ms if at_ms else None
        return len(result["items"]) if rest[0] == "items" else result[rest[0]]

    def _aggregate(self, name: str, rest: list[str], window_ms: int, ledgers: Sequence[Ledger], as_of_ms: int) -> Any:
        rule = self._aggregates[name]
        label = f"{window_ms // 1000}s" if window_ms else "lifetime"
        value = AggregateReader(msgspec.structs.replace(rule, windows=(label,))).read(ledgers, as_of_ms)[label]
        return _part(rule, rest, value, as_of_ms)

    def _side(self, name: str, rest: list[str], window_ms: int, ledgers: Sequence[Ledger], as_of_ms: int) -> Any:
        by_currency = self._aggregates[name].field == "amount"
        return self._aggregate(name, rest if by_currency else [], window_ms, ledgers, as_of_ms)

    def _in_minor_units(self, requested: Any) -> Any:
        decimals = self._decimals(requested.name.path) if isinstance(requested, Compare) else 0
        if not decimals:
            return requested
        written = Fraction(str(requested.value.value)) * Fraction(10) ** decimals
        value = type(requested.value)("number", int(written) if written.denominator == 1 else float(written))
        return Compare(requested.name, requested.operator, value)

    def _decimals(self, path: tuple[str, ...]) -> int:
        """By how many powers of ten what is written is smaller than what is read."""
        currency = {"EUR": 2, "JPY": 0}
        if path[:2] == ("cart", "amount"):
            return currency[path[2]]
        if path[0] in self._ratios:
            ratio = self._ratios[path[0]]
            of, to = (self._aggregates[name].field == "amount" for name in (ratio.of, ratio.to))
            return currency[path[1]] * (of - to) if of or to else 0
        rule = self._aggregates.get(path[0])
        if rule is None or rule.field != "amount" or path[-1] in {"orders", "days", "first_day", "last_day"}:
            return 0
        return currency[path[1]]


class _At(NamedTuple):
    """One value, whatever it is called."""

    found: Any

    def value(self, _name: str) -> Any:
        return self.found


PERSON = {"traits", "consent", "identifier", "first_touch", "last_touch"}


def _of_person(root: str, rest: list[str], ledgers: Sequence[Ledger], as_of_ms: int) -> Any:
    if root == "traits":
        traits = traits_of(ledgers)
        return traits[rest[0]][3] if rest[0] in traits else None
    if root == "consent":
        consent, (purpose, _, _) = consent_of(ledgers), rest[0].partition("/")
        output = [consent[key] for key in {rest[0], purpose} if key in consent]
        return all(output) if output else None
    if root == "identifier":
        return max((i for i in identifiers_of(ledgers) if i.startswith(f"{rest[0]}:")), default=None)
    point = {"first_touch": first_touch, "last_touch": last_touch}[root](ledgers)
    if point is None:
        return None
    return {"": as_of_ms - point[0], "channel": point[2], "campaign": campaign_of(point[5])}["".join(rest)]


def _part(rule: AggregateRule, rest: list[str], value: Any, as_of_ms: int) -> Any:
    """What a name means of an aggregate as the profile's views show it."""
    if rule.kind == "purchases":
        facts = value.get(rest[0])
        if rest[1] in {"first_day", "last_day"}:
            return as_of_ms - facts[rest[1]] * DAY_MS if facts else None
        return facts[_PURCHASES[rest[1]]] if facts else 0
    if rule.field == "amount":
        return value.get(rest[0], 0 if rule.kind == "sum" else None)
    if rule.kind == "sessions" and rest[0] in _AGO:
        at_ms = value[_AGO[rest[0]]]
        return None if at_ms is None else as_of_ms - at_ms
    if rule.kind == "top":
        return [item["value"] for item in value]
    if rest:
        return None if value is None else value[_SESSIONS.get(rest[0], rest[0])]
    return as_of_ms - value if rule.name == "last_buy" and value is not None else value
