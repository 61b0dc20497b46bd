"""Generated functions equal the rules read as data: on random rules and histories, every output and every row.

``STITCHLINE_SEEDS=10000 pytest tests/property/test_generated_rules.py`` widens the search; a failure prints the line
that repeats it.
"""

import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.filter import Condition, Filter
from pipeline.profile.journey.rules import JourneyRules, OrderRules
from pipeline.profile.logic import ProfileLogic, Timer
from pipeline.profile.messages import Touch
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRules
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import SegmentTrigger, TriggerRule, TriggerRules
from tests.property.profile_histories import ATTRIBUTION, PREFERENCES, SURVEYS
from tests.property.segment_histories import FAST, SLOW, conditions_of, journeys_of, rules_of, touches_of

SEGMENTS = tuple("abcdef")
PROFILES = ("p1", "p1", "p2")
FILTERS = (
    Filter(),
    Filter(events=("View", "buy")),
    Filter(events=("OPEN",), channels=("web", "app")),
    Filter(types=("track",), where=(Condition(field="event", ne="Leave"),)),
    Filter(where=(Condition(field="channel", one_of=("web", "pos")), Condition(field="properties.price", gte=50))),
    Filter(where=(Condition(field="traits.plan", exists=True),)),
    Filter(where=(Condition(field="type", eq="page"),)),
)
FIELDS = ("channel", "type", "event", "timestamp_ms", "hour", "currency", "amount", "properties.label", "traits.plan")


def seeds() -> Iterator[int]:
    one = os.environ.get("STITCHLINE_SEED")
    yield from (int(one),) if one else range(int(os.environ.get("STITCHLINE_SEEDS", "24")))


class World:
    """Random rules, and a random history of two customers in batches that are a little out of order."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        pace = rng.choice((FAST, SLOW))
        aggregates, self.scores = rules_of(rng, pace)
        self.aggregates = AggregateRules(
            aggregates=tuple(self._varied(rule) for rule in aggregates.aggregates), ratios=aggregates.ratios
        )
        self.segments = conditions_of(rng, pace, SEGMENTS)
        self.journeys = self._journeys(journeys_of(rng, pace))
        self.triggers = self._triggers()
        history = touches_of(rng, pace)
        for _ in range(len(history) // 4):
            place = rng.randrange(len(history))
            history.insert(rng.randrange(len(history)), history.pop(place))
        self.batches = [history[at : at + 5] for at in range(0, len(history), 5)]
        self.owners = {touch.anchor: rng.choice(PROFILES) for touch in history}

    def _varied(self, rule: AggregateRule) -> AggregateRule:
        if self.rng.random() < 0.4:
            rule = msgspec.structs.replace(rule, filter=self.rng.choice(FILTERS))
        if rule.kind in {"most_frequent", "top", "distinct", "unique"} and self.rng.random() < 0.4:
            field = self.rng.choice([field for field in FIELDS if field != "amount"])
            rule = msgspec.structs.replace(rule, field=field)
        return rule

    def _journeys(self, carts: JourneyRules) -> JourneyRules:
        more: dict[str, Any] = {"attribution": ATTRIBUTION, "surveys": SURVEYS, "preferences": PREFERENCES}
        orders = OrderRules(
            completed=Filter(events=("Buy",)),
            refunded=Filter(events=("Leave",)),
            cancelled=Filter(events=("Open",), channels=("crm",)),
            id=("properties.label",),
            refund_id=("properties.title",),
        )
        kept = {name: rule for name, rule in more.items() if self.rng.random() < 0.6}
        return JourneyRules(carts=carts.carts, orders=orders if self.rng.random() < 0.7 else None, **kept)

    def _triggers(self) -> TriggerRules:
        rng = self.rng
        on_scores = [
            TriggerRule(
                name=f"s{n}",
                score=rng.choice(("engagement", "worth")),
                high=rng.choice((5, 15, 40)),
                low=rng.choice((1, 3, 5)),
                falling=rng.random() < 0.4,
                cooldown_ms=rng.choice((0, HOUR_MS, 7 * DAY_MS)),
            )
            for n in range(3)
        ]
        on_segments = [
            SegmentTrigger(name=f"t{n}", segment=rng.choice(SEGMENTS), change=rng.choice(("entered", "exited")))
            for n in range(2)
        ]
        return TriggerRules(triggers=tuple(on_scores), segment_triggers=tuple(on_segments))

    def compiled(self, *, interpret: bool) -> CompiledRules:
        rules: tuple[AggregateRules, ScoreRules, TriggerRules, SegmentRules]
        rules = (self.aggregates, self.scores, self.triggers, self.segments)
        return compile_rules(*rules, journeys=self.journeys, interpret=interpret)


class Timers:
    """Timers in a list."""

    def __init__(self) -> None:
        self.waiting: list[Timer] = []

    def schedule(self, due_ms: int, profile_id: str) -> None:
        self.waiting.append((due_ms, profile_id))

    def take(self, now_ms: int) -> list[Timer]:
        due = sorted(timer for timer in self.waiting if timer[0] <= now_ms)
        self.waiting = [timer for timer in self.waiting if timer[0] > now_ms]
        return due


def outcome(world: World, batches: Sequence[Sequence[Touch]], *, interpret: bool) -> list[bytes]:
    """Every output of a history, with the timers that fall due in it and after it, and then every row."""
    table, timers = MemoryTable[ProfileRow](), Timers()
    logic = ProfileLogic(world.compiled(interpret=interpret), table, timers)
    outputs: list[bytes] = []
    for batch in batches:
        now_ms = max(touch.timestamp_ms for touch in batch)
        fired = logic.on_time(timers.take(now_ms), now_ms)
        outputs.append(msgspec.msgpack.encode((fired, logic.evaluate(fired.changed, now_ms))))
        outputs.append(msgspec.msgpack.encode(logic.on_batch([(world.owners[t.anchor], t) for t in batch], now_ms)))
    for _ in range(20):
        due = sorted(timers.waiting)[:1]
        if due:
            fired = logic.on_time(timers.take(due[0][0]), due[0][0])
            outputs.append(msgspec.msgpack.encode((fired, logic.evaluate(fired.changed, due[0][0]))))
    return outputs + [msgspec.msgpack.encode((key, table.rows[key])) for key in sorted(table.rows)]


def copies(batches: Sequence[Sequence[Touch]]) -> list[list[Touch]]:
    """Touches of their own for each run, so that no run sees a change that another made."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(batches), type=list[list[Touch]])


@pytest.mark.parametrize("seed", [*seeds()])
def test_generated_functions_equal_the_rules_read_as_data(seed: int):
    world = World(seed)
    read = outcome(world, copies(world.batches), interpret=True)
    generated = outcome(world, copies(world.batches), interpret=False)
    assert generated == read, f"repeat with STITCHLINE_SEED={seed} pytest {__file__}"


def test_worlds_do_what_they_are_for():
    totals = [sum(map(len, outcome(World(seed), World(seed).batches, interpret=False))) for seed in range(5)]
    assert min(totals) > 500
