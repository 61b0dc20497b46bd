"""A dry run counts the customers for which a worker with the same rules fires, and why others wait."""

import os
import random
from typing import Any

import msgspec
import pytest

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRules
from pipeline.query.dry_run import DryRun, dry_run
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import QuietHours, SegmentTrigger, TriggerRule, TriggerRules
from tests.property.profile_histories import START_MS
from tests.unit.trigger.test_watch import HOT, SCORES, B, Stage, consents

SEGMENTS = SegmentRules(
    segments=(
        SegmentRule(name="warm", when="score.engagement >= 25"),
        SegmentRule(name="gone", when="last_touch > 4 d"),
    )
)
EVERY = TriggerRules(
    triggers=(
        HOT,
        TriggerRule(name="rare", high=30, low=10, cooldown_ms=9 * DAY_MS),
        TriggerRule(name="cold", high=40, low=15, falling=True),
        TriggerRule(name="first", high=40, low=15, once=True),
        TriggerRule(name="polite", high=30, low=20, quiet=QuietHours(start="20:00", end="07:30")),
        TriggerRule(name="asked", high=30, low=20, consent="sales", consent_required=True),
    ),
    segment_triggers=(
        SegmentTrigger(name="welcome", segment="warm", cooldown_ms=3 * DAY_MS),
        SegmentTrigger(name="missed", segment="gone", change="exited"),
    ),
)
SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "60"))
FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))


def copy(row: ProfileRow) -> ProfileRow:
    """As it comes from the changelog."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=ProfileRow)


def tried(stage: Stage, *triggers: TriggerRule, as_of_ms: int = 0, sample: int = 10) -> DryRun:
    rules = compile_rules(AggregateRules(), SCORES, TriggerRules(triggers=triggers))
    rows = [(profile_id, copy(row)) for profile_id, row in sorted(stage.table.rows.items())]
    return dry_run(rows, rules, [rule.name for rule in triggers], as_of_ms, sample)


def counted(result: DryRun, name: str = "hot") -> dict[str, int]:
    """What is not 0."""
    tally = result.tallies[name]
    every = {"fires": tally.fires, **tally.waits, "open": tally.open, "spent": tally.spent}
    return {what: count for what, count in every.items() if count}


def test_a_lower_threshold_would_fire_for_customers_above_it() -> None:
    stage = Stage(HOT)
    stage.touch(0, traits={"email": "ann@example.org", "firstName": "Ann"})
    stage.views(2, 1)
    stage.views(1, anchor=B)
    result = tried(stage, TriggerRule(name="hot", high=30, low=20))
    assert result.profiles == 2
    assert counted(result) == {"fires": 1}
    (one,) = result.tallies["hot"].sample
    assert (one["firstName"], one["email"], one["score"], one["grade"]) == ("Ann", "ann@example.org", 30.0, "")
    assert tried(stage, TriggerRule(name="hot", high=10, low=5), sample=1).tallies["hot"].sample[0]["score"] in {10, 30}
    assert counted(tried(stage, HOT)) == {}


def test_an_open_lead_is_counted_as_open_and_does_not_fire() -> None:
    stage = Stage(HOT)
    assert stage.views(5)
    assert counted(tried(stage, HOT)) == {"open": 1}
    assert counted(tried(stage, TriggerRule(name="other", high=50, low=20)), "other") == {"fires": 1}
    assert counted(tried(stage, HOT, as_of_ms=START_MS + 30 * DAY_MS)) == {}


def test_a_trigger_that_fires_once_is_spent_when_armed_again() -> None:
    once = TriggerRule(name="hot", high=50, low=20, once=True)
    stage = Stage(once)
    stage.views(5)
    assert counted(tried(stage, once)) == {"open": 1}
    assert counted(tried(stage, once, as_of_ms=START_MS + 30 * DAY_MS)) == {"spent": 1}


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"consent": "sales"}, "consent"),
        ({"consent": "sales", "quiet": QuietHours(start="00:00", end="23:59")}, "consent"),
        ({"quiet": QuietHours(start="00:00", end="23:59")}, "quiet_hours"),
        ({"falling": True}, ""),
        ({}, "fires"),
    ],
)
def test_the_reasons_that_make_a_trigger_wait_are_counted(rule: dict[str, Any], what: str) -> None:
    stage = Stage(HOT)
    stage.touch(0, name="Other", **consents(sales=False))
    stage.views(5, 1)
    assert counted(tried(stage, TriggerRule(name="new", high=50, low=20, **rule)), "new") == ({what: 1} if what else {})


def test_the_cooldown_makes_those_wait_whose_score_is_high_again() -> None:
    slow = TriggerRule(name="hot", high=50, low=20, cooldown_ms=5 * DAY_MS)
    stage = Stage(slow)
    stage.views(5)
    assert counted(tried(stage, slow, as_of_ms=START_MS + 4 * DAY_MS)) == {}
    assert stage.views(15, 4 * DAY_MS) == []
    assert counted(tried(stage, slow)) == {"cooldown": 1}
    assert counted(tried(stage, slow, as_of_ms=START_MS + 5 * DAY_MS + HOUR_MS)) == {"fires": 1}


def test_it_fires_for_the_customers_for_which_a_worker_fires() -> None:
    """Seeded customers, stored by a worker with one trigger; then every kind of trigger is tried, and deployed."""
    rules = compile_rules(AggregateRules(), SCORES, EVERY, SEGMENTS)
    names = [rule.name for rule in EVERY.every()]
    fired = 0
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        chance = random.Random(seed)
        stage, at = Stage(HOT), 0
        for _ in range(chance.randrange(1, 25)):
            at += chance.choice((1, 1, 1, 1, HOUR_MS, DAY_MS))
            name = "Leave" if chance.random() < 0.05 else "View"
            stage.touch(at, name=name, **consents(sales=chance.random() < 0.98))
        ((profile_id, row),) = stage.table.rows.items()
        as_of_ms = START_MS + at + chance.choice((0, HOUR_MS, DAY_MS, 3 * DAY_MS))
        table: MemoryTable[ProfileRow] = MemoryTable()
        table.put(profile_id, copy(row))
        leads = ProfileLogic(rules, table).evaluate([profile_id], as_of_ms).leads
        result = dry_run([(profile_id, copy(row))], rules, names, as_of_ms, 1)
        replay = f"replay: STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__}"
        would = [name for name, tally in result.tallies.items() if tally.fires]
        assert would == [lead.action.trigger for lead in leads], replay
        assert [result.tallies[name].sample[0]["score"] for name in would] == [lead.action.score for lead in leads]
        fired += len(would)
    assert fired > SEEDS or SEEDS < 20
