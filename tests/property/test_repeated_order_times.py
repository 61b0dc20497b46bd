"""An order under two anchors counts once at every moment, however often timers fire, and late sightings included."""

import os
import random

from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.identity.profile_id import profile_id
from pipeline.profile.filter import Filter
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.messages import Touch
from pipeline.profile.records import SegmentChange
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.score.rules import ScoreRule, ScoreRules
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.state.timers import TimerView
from pipeline.testing.store import MemoryStore
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.property.profile_histories import START_MS, touch

SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "60"))
FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))
PROFILE, END_MS = profile_id("default", "user_id:a"), START_MS + 20 * DAY_MS
BOUGHT = Filter(events=("order_completed",))
RULES = compile_rules(
    AggregateRules(
        aggregates=(
            AggregateRule(name="orders", filter=BOUGHT, windows=("24h", "7d", "lifetime")),
            AggregateRule(name="spent", kind="sum", field="amount", filter=BOUGHT, windows=("24h", "7d")),
        )
    ),
    ScoreRules(scores=(ScoreRule(name="buy", points=40, filter=BOUGHT, half_life_ms=2 * DAY_MS),)),
    TriggerRules(),
    SegmentRules(
        segments=(
            SegmentRule(name="buyer", when="orders over 24 h >= 1"),
            SegmentRule(name="regular", when="orders over 7 d >= 3"),
            SegmentRule(name="single", when="orders = 1"),
            SegmentRule(name="big", when="spent.EUR over 7 d >= 5"),
            SegmentRule(name="warm", when="score.engagement >= 60"),
            SegmentRule(name="lukewarm", when="score.engagement < 30 and orders over 7 d >= 2"),
        )
    ),
    journeys=JourneyRules(),
)


def history(chance: random.Random) -> list[Touch]:
    """Orders and refunds under three anchors in order of time, of few order ids."""
    at, result = 0, []
    for number in range(chance.randrange(2, 14)):
        at += chance.choice((MINUTE_MS, HOUR_MS, 20 * HOUR_MS, 2 * DAY_MS))
        name = chance.choice(("order_completed",) * 4 + ("order_refunded", "page_viewed"))
        money = {"amount_minor": chance.choice((100, 300)), "currency": "EUR"} if chance.random() < 0.8 else {}
        order = {"order_id": f"o{chance.randrange(4)}"}
        anchor = chance.choice(("user_id:a", "anonymous_id:b", "email:c@example.org"))
        result.append(touch(number, at, anchor, name=name, properties=order, **money))
    return result


def lived(touches: list[Touch], looks: list[int]) -> list[SegmentChange]:
    """The segment changes, if timers also fire at these moments."""
    table: MemoryTable[ProfileRow] = MemoryTable()
    timers = TimerView(MemoryStore())  # type: ignore[arg-type]
    logic, changes = ProfileLogic(RULES, table, timers), list[SegmentChange]()
    steps = [(sent.timestamp_ms, 1, sent) for sent in touches] + [(at, 0, None) for at in (*looks, END_MS)]
    for at, _, sent in sorted(steps, key=lambda step: step[:2]):
        if sent is not None:
            changes += logic.on_batch([(PROFILE, sent)], 0).segment_changes
            continue
        while due := timers.take(at, 10):
            applied = logic.on_time(due, at)
            published = logic.evaluate(applied.changed, 0)
            changes += applied.decided.segment_changes + published.segment_changes
    return changes


def standings(touches: list[Touch]) -> list[tuple[int, str, str]]:
    """The oracle: every segment evaluated at every touch and every full hour."""
    logic, inside, result = ProfileLogic(RULES, table := MemoryTable()), set[str](), []
    hours = range(START_MS - START_MS % HOUR_MS, END_MS + HOUR_MS, HOUR_MS)
    steps = [(sent.timestamp_ms, 1, sent) for sent in touches] + [(at, 0, None) for at in hours]
    for at, _, sent in sorted(steps, key=lambda step: step[:2]):
        if sent is not None:
            logic.on_batch([(PROFILE, sent)], 0)
        row = table.rows.get(PROFILE)
        if row is not None and at <= END_MS:
            now = {name for name, state in RULES.segments.evaluate(row.ledgers(), at).items() if state.inside}
            result += [(at, segment, "entered" if segment in now else "exited") for segment in now ^ inside]
            inside = now
    return sorted(result)


def test_segments_on_repeated_orders_change_when_evaluating_all_the_time_says() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        chance = random.Random(seed)
        touches = history(chance)
        seldom = lived(touches, [])
        often = lived(touches, [START_MS + chance.randrange(20 * DAY_MS) for _ in range(40)])
        replay = f"replay: STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__}"
        assert seldom == often, replay
        changes = sorted((change.timestamp_ms, change.segment, change.change) for change in seldom)
        assert changes == standings(touches), replay


def test_an_order_that_arrives_late_under_another_anchor_is_counted_at_its_own_time() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        touches = history(random.Random(seed))
        late = random.Random(-seed - 1).sample(touches, len(touches))
        table: MemoryTable[ProfileRow] = MemoryTable()
        logic = ProfileLogic(RULES, table)
        for sent in late:
            logic.on_batch([(PROFILE, sent)], 0)
        row = table.rows[PROFILE]
        as_of_ms = row.latest_ms() + 1
        inside = {name for name, state in row.segments.items() if state.inside}
        now = RULES.segments.evaluate(row.ledgers(), max(as_of_ms - 1, row.schedule.decided_ms))
        assert inside == {name for name, state in now.items() if state.inside}, seed
