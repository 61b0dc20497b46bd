"""Profiles under changed rules: removed segments, ledgers that come and go, refused rules."""

from typing import Any

import pytest

from pipeline.event.duration import DAY_MS
from pipeline.identity.messages import Move
from pipeline.identity.profile_id import profile_id
from pipeline.profile.filter import Filter
from pipeline.profile.logic import Message, ProfileEffects, ProfileLogic
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRule, AggregateRules
from pipeline.score.rules import ScoreRule, ScoreRules
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.testing.build import START_MS, touch
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import SegmentTrigger, TriggerRules

A, B = "user_id:a", "user_id:b"
PA, PB = profile_id("default", A), profile_id("default", B)
SCORES = ScoreRules(scores=(ScoreRule(name="view", points=10, filter=Filter(events=("View",)), half_life_ms=DAY_MS),))
VIEWS = AggregateRules(aggregates=(AggregateRule(name="views", filter=Filter(events=("View",))),))
SEEN = SegmentRule(name="seen", when="views >= 1")
WARM = SegmentRule(name="warm", when="score.engagement >= 15")


class Stage:
    """PROFILE over a dict, whose rules can be exchanged."""

    def __init__(self, *segments: SegmentRule, triggers: tuple[SegmentTrigger, ...] = ()) -> None:
        self.table: MemoryTable[ProfileRow] = MemoryTable()
        self.use(*segments, triggers=triggers)

    def use(self, *segments: SegmentRule, triggers: tuple[SegmentTrigger, ...] = ()) -> None:
        rules = TriggerRules(segment_triggers=triggers)
        self.logic = ProfileLogic(compile_rules(VIEWS, SCORES, rules, SegmentRules(segments=segments)), self.table)

    def take(self, *messages: tuple[str, Message]) -> ProfileEffects:
        return self.logic.on_batch(messages, 0)


def view(number: int, anchor: str = A, **fields: Any) -> tuple[str, Message]:
    made = touch(anchor, event_id=f"shop/{number}", timestamp_ms=START_MS + number, name="View", **fields)
    return profile_id("default", anchor), made


def changes(effects: ProfileEffects) -> list[tuple[str, str]]:
    return [(change.segment, change.change) for change in effects.segment_changes]


def test_members_of_a_removed_segment_leave_it_once() -> None:
    stage = Stage(SEEN, WARM)
    assert changes(stage.take(view(1))) == [("seen", "entered")]
    stage.use(WARM)
    assert changes(stage.take(view(2))) == [("seen", "exited"), ("warm", "entered")]
    assert changes(stage.take(view(3))) == []
    assert list(stage.table.rows[PA].segments) == ["warm"]


def test_a_profile_whose_only_ledger_moves_away_leaves_its_segments() -> None:
    stage = Stage(SEEN)
    stage.take(view(1))
    effects = stage.take((PA, Move("default", [A], PA, PB, 1)))
    assert changes(effects) == [("seen", "exited")]
    assert changes(stage.take(*effects.forwards)) == [("seen", "entered")]


def test_a_segment_starts_to_watch_a_score_once_its_other_part_holds() -> None:
    both = SegmentRule(name="both", when="views >= 2 and score.engagement >= 25")
    stage = Stage(both, triggers=(SegmentTrigger(name="call", segment="both"),))
    assert [changes(stage.take(view(number))) for number in (1, 2, 3)] == [[], [], [("both", "entered")]]


def test_a_trigger_on_a_segment_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trigger 'call' watches segment 'seen': declare it in segments\.yaml"):
        Stage(WARM, triggers=(SegmentTrigger(name="call", segment="seen"),))
