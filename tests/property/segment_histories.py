"""Random customers and random segments, made from a seed; and a naive reading of every name to hold answers against."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.condition.duration import format_duration, parse_duration
from pipeline.condition.grammar import parse
from pipeline.condition.syntax import Among, And, Compare, Expression, Known, Not, Or, Truth
from pipeline.event.money import to_minor
from pipeline.profile.aggregates import Reader
from pipeline.profile.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.fold import campaign_of, consent_of, first_touch, identifiers_of, last_touch, traits_of
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.score.rules import ScoreGroup, ScoreRule, ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment.rules import SegmentRule, SegmentRules
from tests.property.condition_worlds import means as means_in
from tests.property.profile_histories import EVERY_KIND, LEAVES, MONEY, START_MS, aggregate, made


class Pace(NamedTuple):
    """How fast a world goes: how long its histories are, what is read over which windows, how fast points fade."""

    span_ms: int
    step_ms: int
    windows: tuple[str, ...]
    half_lives_ms: tuple[int, ...]


FAST = Pace(2 * DAY_MS, MINUTE_MS, ("5m", "45m", "1h", "6h", "24h", "2d"), (HOUR_MS, 3 * HOUR_MS))
SLOW = Pace(120 * DAY_MS, 7 * HOUR_MS, ("7d", "12d", "30d", "90d"), (2 * DAY_MS, 14 * DAY_MS, 30 * DAY_MS))
LAST = aggregate("last", name="last_buy", field="timestamp_ms", filter=Filter(events=("Buy",)))
LARGEST = aggregate("max", name="largest", field="amount")


def rules_of(rng: random.Random, pace: Pace) -> tuple[AggregateRules, ScoreRules]:
    """Aggregates of every kind over the windows of the pace, and scores that rise, fall, and are capped."""
    windows = (*pace.windows, "lifetime")
    kept = (*EVERY_KIND, LAST, LARGEST)
    aggregates = tuple(msgspec.structs.replace(rule, windows=windows) for rule in kept)

    def points(name: str, worth: int, **more: Any) -> ScoreRule:
        half_life_ms = rng.choice((*pace.half_lives_ms, 0)) if name == "once" else rng.choice(pace.half_lives_ms)
        return ScoreRule(name=name, points=worth, half_life_ms=half_life_ms, **more)

    scores = (
        points("view", 3, filter=Filter(events=("View",)), group="browse"),
        points("deep", 5, filter=Filter(where=(Condition(field="properties.price", gte=50),)), group="browse"),
        points("buy", 40, filter=Filter(events=("Buy",)), max_points=90),
        points("open", 7, filter=Filter(events=("Open",)), max_occurrences=3),
        points("once", 11, filter=Filter(events=("Open",)), max_occurrences=1),
        points("leave", -25, filter=Filter(events=("Leave",)), group=rng.choice(("browse", ""))),
        points("grumble", -9, filter=Filter(channels=("email",)), max_points=rng.choice((0, 20))),
        points("value", 2, filter=Filter(channels=("pos",)), score="worth"),
    )
    groups = (ScoreGroup(name="browse", max_points=20),)
    return AggregateRules(aggregates=aggregates), ScoreRules(scores=scores, groups=groups)


def touches_of(rng: random.Random, pace: Pace) -> list[Touch]:
    """A history in the order of time, of several leaves, with bursts and silences."""
    offsets = [rng.randrange(pace.span_ms // 2) for _ in range(rng.randrange(1, 25))]
    offsets += [offset + rng.randrange(pace.step_ms * 3) for offset in offsets if rng.random() < 0.3]
    return [made(number, offset, rng.getrandbits(40), None) for number, offset in enumerate(sorted(offsets))]


def conditions_of(rng: random.Random, pace: Pace, names: Sequence[str]) -> SegmentRules:
    """A segment for each of the names; a later one may ask for an earlier one."""
    rules: list[SegmentRule] = []
    for at, name in enumerate(names):
        when = " and ".join(_question(rng, pace, names[:at]) for _ in range(rng.choice((1, 1, 2))))
        if rng.random() < 0.4:
            when = f"({when}) or {_question(rng, pace, names[:at])}"
        rules.append(SegmentRule(name=name, when=when if rng.random() < 0.8 else f"not ({when})"))
    return SegmentRules(segments=tuple(rng.sample(rules, len(rules))))


def _question(rng: random.Random, pace: Pace, earlier: Sequence[str]) -> str:
    sign = rng.choice(("=", "!=", "<", "<=", ">", ">="))
    over = f" over {format_duration(_length_ms(rng.choice(pace.windows)))}" if rng.random() < 0.8 else ""
    ago = format_duration(rng.choice((pace.step_ms * rng.randrange(1, 200), _length_ms(rng.choice(pace.windows)))))
    score = f"score.{rng.choice(('engagement', 'engagement', 'worth'))}"
    asked = [
        f"a_count{over} {sign} {rng.randrange(5)}",
        f"a_count{over} in [{rng.randrange(4)}, {rng.randrange(4)}]",
        f"a_sum{over} {sign} {rng.choice((0, 0.1, 50, 150.5))}",
        f"a_{rng.choice(('min', 'max', 'average'))}{over} {sign} {rng.choice((0.1, 49.99, 50, 500))}",
        f"a_quantiles.p{rng.choice((50, 90))}{over} {sign} {rng.choice((1, 49, 60))}",
        f"a_distinct{over} {sign} {rng.randrange(4)}",
        f"a_{rng.choice(('first', 'last', 'most_frequent'))}{over} {sign} {rng.choice(('1', chr(34) + 'a' + chr(34)))}",
        f"a_unique{over} contains {rng.choice(('1', chr(34) + 'b' + chr(34)))}",
        f"a_{rng.choice(('first', 'max', 'unique'))}{over} is {rng.choice(('known', 'unknown'))}",
        f"money.{rng.choice(('EUR', 'JPY'))}{over} {sign} {rng.choice((0, 1, 250, 400))}",
        f"largest.EUR{over} {sign} {rng.choice((0.01, 2.5, 199.99))}",
        f"last_buy{over} {sign} {ago}",
        f"last_buy{over} is known",
        f"{rng.choice(('first_touch', 'last_touch'))} {sign} {ago}",
        f'{rng.choice(("first_touch", "last_touch"))}.channel = "web"',
        f'last_touch.campaign {rng.choice(("=", "!="))} "x"',
        *[f"{score} {sign} {rng.choice((-30, -5, -1, 0, 1, 5, 15, 20, 25.5, 40))}"] * 5,
        f"traits.plan {rng.choice(('=', '!=', 'in'))} {{}}",
        "traits.city is unknown",
        f"consent.{rng.choice(('ads', 'ads/email', 'ads/sms'))} {rng.choice(('=', '!='))} true",
        f"identifier.{rng.choice(('phone', 'device_id'))} is known",
        *[f"segment.{name}" for name in earlier[-2:]],
    ]
    found = rng.choice(asked)
    return found.format('["pro", "a"]' if " in " in found else '"pro"')


def _length_ms(label: str) -> int:
    return parse_duration(label)


class Naive:
    """Reads every name as the profile's own views do, one at a time, and evaluates trees without the compiler."""

    def __init__(self, rules: SegmentRules, aggregates: AggregateRules, scores: ScoreRules) -> None:
        self._segments = {rule.name: parse(rule.when) for rule in rules.segments}
        self._aggregates = {rule.name: rule for rule in aggregates.aggregates}
        self._scores = Scores(scores)

    def standings(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, bool]:
        return {name: self._means(tree, ledgers, as_of_ms) for name, tree in self._segments.items()}

    def _means(self, asked: Expression, ledgers: Sequence[Ledger], as_of_ms: int) -> bool:
        if isinstance(asked, Not):
            return not self._means(asked.part, ledgers, as_of_ms)
        if isinstance(asked, And | Or):
            found = [self._means(part, ledgers, as_of_ms) for part in asked.parts]
            return all(found) if isinstance(asked, And) else any(found)
        return means_in(self._in_minor_units(asked), _At(self._value(asked, ledgers, as_of_ms)))  # type: ignore[arg-type]

    def _value(self, asked: Truth | Compare | Among | Known, ledgers: Sequence[Ledger], as_of_ms: int) -> Any:
        root, *rest = asked.name.path
        if root == "segment":
            return self._means(self._segments[rest[0]], ledgers, as_of_ms)
        if root == "score":
            return self._scores.values(ledgers, as_of_ms)[rest[0]]
        if root == "traits":
            traits = traits_of(ledgers)
            return traits[rest[0]][3] if rest[0] in traits else None
        if root == "consent":
            consent, (purpose, _, _) = consent_of(ledgers), rest[0].partition("/")
            said = [consent[key] for key in {rest[0], purpose} if key in consent]
            return all(said) if said else None
        if root == "identifier":
            return max((i for i in identifiers_of(ledgers) if i.startswith(f"{rest[0]}:")), default=None)
        if root in {"first_touch", "last_touch"}:
            point = {"first_touch": first_touch, "last_touch": last_touch}[root](ledgers)
            if point is None:
                return None
            return {"": as_of_ms - point[0], "channel": point[2], "campaign": campaign_of(point[5])}["".join(rest)]
        return self._aggregate(self._aggregates[root], rest, asked.name.window_ms, ledgers, as_of_ms)

    def _aggregate(
        self, rule: AggregateRule, rest: list[str], window_ms: int, ledgers: Sequence[Ledger], as_of_ms: int
    ) -> Any:
        label = f"{window_ms // 1000}s" if window_ms else "lifetime"
        value = Reader(msgspec.structs.replace(rule, windows=(label,))).read(ledgers, as_of_ms)[label]
        if (rest and rule in (MONEY, LARGEST)) or rule.field == "amount":
            return value.get(rest[0], 0 if rule.kind == "sum" else None)
        if rest:
            return None if value is None else value[rest[0]]
        return as_of_ms - value if rule.name == "last_buy" and value is not None else value

    def _in_minor_units(self, asked: Any) -> Any:
        rule = self._aggregates.get(asked.name.path[0])
        if rule is None or rule.field != "amount" or not isinstance(asked, Compare):
            return asked
        decimals = {"EUR": 2, "JPY": 0}[asked.name.path[1]]
        value = type(asked.value)("number", to_minor(asked.value.value, decimals) or 0)
        return Compare(asked.name, asked.operator, value)


class _At(NamedTuple):
    """One value, whatever it is called."""

    found: Any

    def value(self, _name: str) -> Any:
        return self.found


def moments(rng: random.Random, pace: Pace, start_ms: int) -> Iterator[int]:
    """Each step from a moment to the end of the world, and none of them on the clock's strokes alone."""
    at_ms = start_ms
    while at_ms < START_MS + pace.span_ms:
        yield at_ms
        at_ms += pace.step_ms
    yield at_ms + rng.randrange(pace.step_ms)


__all__ = ["FAST", "LEAVES", "SLOW", "Naive", "conditions_of", "moments", "rules_of", "touches_of"]
