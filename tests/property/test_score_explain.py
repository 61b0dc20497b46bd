"""Over ten thousand random profiles contributions sum exactly to the score, after a merge and its undoing too."""

import math
import os
import random

import msgspec

from pipeline.event.duration import DAY_MS
from pipeline.identity.messages import Move
from pipeline.identity.profile_id import profile_id
from pipeline.profile.filter import Condition
from pipeline.profile.logic import Message, ProfileLogic
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import FitRule
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.property.profile_histories import SCORES, START_MS, made

PROFILES = int(os.environ.get("STITCHLINE_SEEDS", "10000"))
FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))
WITH_FIT = msgspec.structs.replace(
    SCORES,
    fit=(
        FitRule(name="pro", points=30, where=(Condition(field="traits.plan", eq="pro"),), group="browse"),
        FitRule(name="nameless", points=-7, where=(Condition(field="traits.city", exists=False),)),
    ),
)
RULES = compile_rules(AggregateRules(), WITH_FIT, TriggerRules())
A, B = "user_id:a", "anonymous_id:b"
PA, PB = profile_id("default", A), profile_id("default", B)


def settle(logic: ProfileLogic, messages: list[tuple[str, Message]]) -> None:
    while messages:
        messages = list(logic.apply(messages, 0).forwards)


def explained(row: ProfileRow, as_of_ms: int) -> dict[str, float]:
    """Every score, after a look at its contributions."""
    values = RULES.scorer.values(row.ledgers(), as_of_ms)
    for score in RULES.scorer.read(row.ledgers(), as_of_ms):
        points = [contribution.points for contribution in score.contributions]
        assert sum(points) == sum(reversed(points)) == math.fsum(points) == score.value == values[score.name]
    return values


def check(seed: int) -> None:
    chance = random.Random(seed)
    table: MemoryTable[ProfileRow] = MemoryTable()
    logic = ProfileLogic(RULES, table)
    touches = [
        made(number, chance.randrange(60 * DAY_MS), chance.getrandbits(40), anchor)
        for number in range(chance.randrange(2, 9))
        for anchor in (A, B)
    ]
    settle(logic, [(profile_id("default", touch.anchor), touch) for touch in touches])
    as_of_ms = START_MS + chance.randrange(60, 150) * DAY_MS
    before = [explained(table.rows[item], as_of_ms) for item in (PA, PB)]
    settle(logic, [(to, Move("default", [B], PB, PA, 1)) for to in (PB, PA)])
    explained(table.rows[PA], as_of_ms)
    settle(logic, [(to, Move("default", [B], PA, PB, 2)) for to in (PA, PB)])
    assert [explained(table.rows[item], as_of_ms) for item in (PA, PB)] == before


def test_the_contributions_of_ten_thousand_profiles_sum_exactly_before_and_after_merge_and_unmerge() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + PROFILES):
        try:
            check(seed)
        except BaseException:
            print(f"replay: STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__}")
            raise
