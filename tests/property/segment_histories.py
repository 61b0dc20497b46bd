"""Random customers and segments from a seed, with a naive evaluation of every name as the expected result."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS, format_duration, parse_duration
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.kinds import KINDS
from pipeline.profile.messages import Touch
from pipeline.profile.rules import AggregateRule, AggregateRules, Ratio
from pipeline.score.rules import FitRule, Grades, ScoreGroup, ScoreRule, ScoreRules
from pipeline.segment.rules import SegmentRule, SegmentRules
from tests.property.profile_histories import ANCHORS, CARTS, EVERY_KIND, START_MS, aggregate, made


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
BUYS = aggregate("count", name="buys", filter=Filter(events=("Buy",)))
DEBTS = aggregate("sum", name="debts", field="amount", filter=Filter(channels=("email",)))
RATIOS = (
    Ratio(name="buy_rate", of="buys", to="a_count"),
    Ratio(name="mean_price", of="a_sum", to="a_count"),
    Ratio(name="mean_order", of="money", to="buys"),
    Ratio(name="buys_by_money", of="buys", to="money"),
    Ratio(name="debt_rate", of="debts", to="money"),
)


def rules_of(rng: random.Random, pace: Pace) -> tuple[AggregateRules, ScoreRules]:
    """Aggregates of every kind over the windows of the pace, and scores that rise, fall, and are capped."""
    kept = (*EVERY_KIND, LAST, LARGEST, BUYS, DEBTS)
    aggregates = tuple(_kept_over(rule, pace) for rule in kept)

    def points(name: str, value: int, **more: Any) -> ScoreRule:
        half_life_ms = rng.choice((*pace.half_lives_ms, 0)) if name == "once" else rng.choice(pace.half_lives_ms)
        return ScoreRule(name=name, points=value, half_life_ms=half_life_ms, **more)

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
    fit = (
        FitRule(name="pro", points=60, where=(Condition(field="traits.plan", eq="pro"),)),
        FitRule(name="city", points=-20, where=(Condition(field="traits.city", eq="a"),)),
    )
    grades = Grades(letters=(50, 10, -10), digits=(25, 5, 1), fit=rng.choice(("fit", "worth")))
    score_rules = ScoreRules(scores=scores, groups=groups, fit=fit, grades=grades)
    return AggregateRules(aggregates=aggregates, ratios=RATIOS), score_rules


def journeys_of(rng: random.Random, pace: Pace) -> JourneyRules:
    """Carts that are abandoned within the span of a history."""
    after_ms = rng.choice((pace.step_ms * rng.randrange(1, 300), _length_ms(rng.choice(pace.windows))))
    return JourneyRules(carts=msgspec.structs.replace(CARTS, abandoned_after_ms=after_ms))


def _kept_over(rule: AggregateRule, pace: Pace) -> AggregateRule:
    """The rule in every window of the pace that its kind can have."""
    kind = KINDS[rule.kind]
    windows = ("lifetime",) if kind.lifetime_only else (*pace.windows, *(("lifetime",) if kind.for_ever else ()))
    return msgspec.structs.replace(rule, windows=windows)


def touches_of(rng: random.Random, pace: Pace) -> list[Touch]:
    """A history in the order of time, of several anchors, with bursts and silences."""
    number = 1 if rng.random() < 0.2 else rng.randrange(1, 25)
    offsets = [rng.randrange(pace.span_ms // 2) for _ in range(number)]
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
    requested = [
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
        f"a_top{over} contains {rng.choice(('1', chr(34) + 'b' + chr(34)))}",
        f"a_time_since{over} {sign} {ago}",
        *_of_records(rng, sign, over or f" over {format_duration(_length_ms(rng.choice(pace.windows)))}", ago),
        *_of_ratios(rng, sign, over),
        f"cart.status {rng.choice(('=', '!='))} {chr(34)}{rng.choice(('none', 'open', 'abandoned'))}{chr(34)}",
        f'cart.status in ["open", "{rng.choice(("none", "abandoned"))}"]',
        f"cart.items {sign} {rng.randrange(4)}",
        f"cart.amount.{rng.choice(('EUR', 'JPY'))} {sign} {rng.choice((0, 50, 150))}",
        f"cart.{rng.choice(('since', 'updated'))} {sign} {ago}",
        *[f'grade {sign} "{rng.choice("ABCD")}{rng.choice("1234")}"'] * 3,
        f'grade contains "{rng.choice("ABCD1234")}"',
        f"last_buy{over} {sign} {ago}",
        f"last_buy{over} is known",
        *[f"{rng.choice(('first_touch', 'last_touch'))} {sign} {ago}"] * 3,
        f'{rng.choice(("first_touch", "last_touch"))}.channel = "web"',
        f'last_touch.campaign {rng.choice(("=", "!="))} "x"',
        *[f"{score} {sign} {rng.choice((-30, -5, -1, 0, 1, 5, 15, 20, 25.5, 40))}"] * 5,
        f"traits.plan {rng.choice(('=', '!=', 'in'))} {{}}",
        "traits.city is unknown",
        f"consent.{rng.choice(('ads', 'ads/email', 'ads/sms'))} {rng.choice(('=', '!='))} true",
        f"identifier.{rng.choice(('phone', 'device_id'))} is known",
        *[f"segment.{name}" for name in earlier[-2:]],
    ]
    result = rng.choice(requested)
    return result.format('["pro", "a"]' if " in " in result else '"pro"')


def _of_records(rng: random.Random, sign: str, over: str, ago: str) -> list[str]:
    currency = rng.choice(("EUR", "JPY"))
    return [
        f"a_sessions.{rng.choice(('sessions', 'events', 'bounced'))}{over} {sign} {rng.randrange(5)}",
        f"a_sessions.{rng.choice(('duration', 'longest'))}{over} {sign} {rng.choice(('1 s', '3 min', ago))}",
        f"a_sessions.{rng.choice(('last_start', 'last_end'))}{over} {sign} {ago}",
        f"a_sessions.{rng.choice(('last_start', 'last_end'))}{over} is known",
        f"a_sessions.open{over}",
        f"a_sessions.open{over} {rng.choice(('=', '!='))} false",
        f"a_purchases.{currency}.{rng.choice(('orders', 'days'))} {sign} {rng.randrange(4)}",
        f"a_purchases.{currency}.{rng.choice(('total', 'repeat'))} {sign} {rng.choice((0, 250, 400))}",
        f"a_purchases.{currency}.{rng.choice(('first_day', 'last_day'))} {sign} {ago}",
    ]


def _of_ratios(rng: random.Random, sign: str, over: str) -> list[str]:
    currency = rng.choice(("EUR", "JPY"))
    return [
        f"buy_rate{over} {sign} {rng.choice((0, 0.2, 0.25, 0.5, 1))}",
        f"mean_price{over} {sign} {rng.choice((0.1, 25, 49.99, 50))}",
        f"mean_order.{currency}{over} {sign} {rng.choice((0.5, 1, 100, 250))}",
        f"buys_by_money.{currency}{over} {sign} {rng.choice((0.004, 0.01, 1))}",
        f"debt_rate.{currency}{over} {sign} {rng.choice((-0.5, 0, 0.5, 1))}",
        f"{rng.choice(('buy_rate', 'mean_order.EUR'))}{over} is {rng.choice(('known', 'unknown'))}",
    ]


def _length_ms(label: str) -> int:
    return parse_duration(label)


def moments(rng: random.Random, pace: Pace, start_ms: int) -> Iterator[int]:
    """Each step from a moment to the end of the world, and none of them on the clock's strokes alone."""
    at_ms = start_ms
    while at_ms < START_MS + pace.span_ms:
        yield at_ms
        at_ms += pace.step_ms
    yield at_ms + rng.randrange(pace.step_ms)


__all__ = ["ANCHORS", "FAST", "SLOW", "conditions_of", "journeys_of", "moments", "rules_of", "touches_of"]
