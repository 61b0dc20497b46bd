from collections.abc import Callable
from typing import Any

import pytest

from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.identity.messages import Move
from pipeline.identity.profile_id import profile_id
from pipeline.profile.filter import Filter
from pipeline.profile.logic import Message, ProfileLogic
from pipeline.profile.messages import Touch
from pipeline.profile.records import ActionContribution, CrmAction
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRule, ScoreRules
from pipeline.testing.table import MemoryTable
from pipeline.trigger.action import action_id
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.episodes import EQUAL, Strength, booking_anchor
from pipeline.trigger.rules import TriggerRule, TriggerRules
from tests.property.profile_histories import START_MS, touch

SCORES = ScoreRules(
    scores=(
        ScoreRule(name="view", points=10, filter=Filter(events=("View",)), half_life_ms=DAY_MS),
        ScoreRule(name="leave", points=-35, filter=Filter(events=("Leave",)), half_life_ms=30 * DAY_MS),
    )
)
HOT = TriggerRule(name="hot", high=50, low=20)
A, B = "user_id:a", "user_id:b"
DEVICE = "device_id:d"
PA, PB, PDEVICE = (profile_id("default", anchor) for anchor in (A, B, DEVICE))
STRENGTH = Strength({"user_id": 1, "device_id": 2}, {"user_id"})


class Stage:
    """PROFILE over a dict; it processes its own forwards."""

    def __init__(self, *triggers: TriggerRule, scores: ScoreRules = SCORES, strength: Strength = EQUAL) -> None:
        self.rules = compile_rules(AggregateRules(), scores, TriggerRules(triggers=triggers), strength=strength)
        self.table: MemoryTable[ProfileRow] = MemoryTable()
        self.logic = ProfileLogic(self.rules, self.table)
        self.number = 0

    def take(self, *messages: tuple[str, Message], now_ms: int = 0) -> list[CrmAction]:
        waiting, actions = list(messages), []
        while waiting:
            effects = self.logic.on_batch(waiting, now_ms)
            waiting = list(effects.forwards)
            actions += [lead.action for lead in effects.leads]
        return actions

    def touch(self, offset_ms: int, anchor: str = A, name: str = "View", to: str = "", **more: Any) -> list[CrmAction]:
        self.number += 1
        made: Touch = touch(self.number, offset_ms, anchor, name=name, **more)
        return self.take((to or profile_id("default", anchor), made))

    def views(self, count: int, offset_ms: int = 0, anchor: str = A) -> list[CrmAction]:
        return [action for n in range(count) for action in self.touch(offset_ms + n, anchor)]

    def move(self, anchor: str, source: str, target: str, seq: int) -> list[CrmAction]:
        moved = Move("default", [anchor], source, target, seq)
        return self.take((source, moved), (target, moved))


def test_reaching_the_high_threshold_fires_once_with_the_contributions() -> None:
    stage = Stage(HOT)
    assert stage.views(4) == []
    (action,) = stage.touch(5, traits={"email": "ann@example.org", "firstName": "Ann"}, properties={"title": "Pricing"})
    assert action.action_id == action_id("default", A, "hot", 1)
    assert (action.kind, action.episode, action.score, action.threshold) == ("lead", 1, 50.0, 50.0)
    assert action.contributions == [ActionContribution("view", "", 50.0, 5)]
    assert action.contact == {"email": "ann@example.org", "firstName": "Ann"}
    assert action.timeline[0].summary == "View on web: Pricing"
    assert (action.owner, action.owner_reason, action.duplicate_of) == ("", "", "")


def test_a_score_that_crosses_a_hundred_times_within_the_band_fires_once() -> None:
    stage = Stage(HOT)
    actions = stage.views(5)
    for round_ in range(1, 101):
        actions += stage.touch(round_ * 12 * HOUR_MS)
        actions += stage.views(2, round_ * 12 * HOUR_MS + MINUTE_MS)
    assert [action.kind for action in actions] == ["lead"]


def test_it_fires_again_only_after_falling_below_the_low_mark() -> None:
    stage = Stage(HOT)
    stage.views(5)
    assert stage.views(5, DAY_MS) == []
    assert stage.views(4, 6 * DAY_MS) == []
    (again,) = stage.views(1, 6 * DAY_MS + 10)
    assert again.episode == 2
    assert again.action_id == action_id("default", A, "hot", 2)


def first_hour(stage: Stage, holds: Callable[[float], bool], anchor: str = A) -> int:
    """Returns the first full hour at which the score of a profile with one ledger qualifies, by trying every hour."""
    ledger = stage.table.rows[profile_id("default", anchor)].anchors[anchor]
    hour = START_MS // HOUR_MS + 1
    while not holds(stage.rules.scorer.values([ledger], hour * HOUR_MS)["engagement"]):
        hour += 1
    return hour * HOUR_MS


def test_time_alone_re_arms_at_the_hour_the_score_falls_below_low_whenever_it_is_evaluated() -> None:
    stage = Stage(HOT)
    stage.views(5)
    stage.logic.evaluate([PA], START_MS + 10 * DAY_MS)
    episode = stage.table.rows[PA].anchors[A].episodes["hot"]
    assert episode.closed_ms == first_hour(stage, lambda score: score < 20)


def test_points_taken_away_re_arm_at_the_next_touch() -> None:
    stage = Stage(HOT)
    stage.views(5)
    stage.touch(10, name="Leave")
    assert [a.episode for a in stage.views(8, 20)] == [2]


def test_a_negative_contribution_that_fades_can_fire_with_no_touch() -> None:
    scores = ScoreRules(
        scores=(
            ScoreRule(name="view", points=10, filter=Filter(events=("View",)), half_life_ms=0),
            ScoreRule(name="leave", points=-35, filter=Filter(events=("Leave",)), half_life_ms=DAY_MS),
        )
    )
    stage = Stage(HOT, scores=scores)
    stage.touch(0, name="Leave")
    assert stage.views(6) == []
    assert stage.logic.evaluate([PA], START_MS + DAY_MS).leads == []
    (action,) = (lead.action for lead in stage.logic.evaluate([PA], START_MS + 5 * DAY_MS).leads)
    assert action.timestamp_ms == first_hour(stage, lambda score: score >= 50)


def test_a_cooldown_outlasts_re_arming() -> None:
    stage = Stage(TriggerRule(name="hot", high=50, low=20, cooldown_ms=20 * DAY_MS))
    stage.views(5)
    assert stage.views(6, 10 * DAY_MS) == []
    assert [a.episode for a in stage.views(6, 20 * DAY_MS)] == [2]


def test_each_trigger_keeps_its_own_episodes() -> None:
    stage = Stage(HOT, TriggerRule(name="warm", high=20, low=5))
    assert [a.trigger for a in stage.views(5)] == ["warm", "hot"]
    assert [a.trigger for a in stage.views(5, 3 * DAY_MS)] == ["hot"]


def test_two_profiles_that_fired_and_merge_leave_one_lead_and_one_duplicate() -> None:
    stage = Stage(HOT)
    stage.views(5, 0, B)
    stage.views(5, HOUR_MS, A)
    (duplicate,) = stage.move(B, PB, PA, 1)
    assert duplicate.kind == "duplicate_of"
    assert duplicate.profile_id == PA
    assert duplicate.action_id == action_id("default", A, "hot", 1)
    assert duplicate.duplicate_of == action_id("default", B, "hot", 1)
    assert stage.views(3, 2 * HOUR_MS) == []


def test_a_duplicate_whose_lead_goes_to_another_customer_is_a_lead_again() -> None:
    stage = Stage(HOT)
    stage.views(5, 0, B)
    stage.views(5, HOUR_MS, A)
    (duplicate,) = stage.move(B, PB, PA, 1)
    (again,) = stage.move(B, PA, PB, 2)
    assert (again.kind, again.duplicate_of, again.profile_id) == ("lead", "", PA)
    assert (again.action_id, again.episode) == (duplicate.action_id, 1)
    (once_more,) = stage.move(B, PB, PA, 3)
    assert (once_more.action_id, once_more.duplicate_of) == (duplicate.action_id, duplicate.duplicate_of)


def test_a_merge_alone_can_fire() -> None:
    stage = Stage(HOT)
    assert stage.views(3, 0, A) + stage.views(3, 0, B) == []
    (action,) = stage.move(B, PB, PA, 1)
    assert (action.kind, action.score) == ("lead", 60.0)


def test_a_split_hands_the_episode_over_with_its_ledger() -> None:
    stage = Stage(HOT)
    stage.move(B, PB, PA, 1)
    stage.views(5, 0, A)
    stage.touch(10, B)
    stage.move(A, PA, PB, 2)
    assert stage.table.rows[PB].anchors[A].episodes["hot"].number == 1
    assert stage.views(5, 20, A) == []
    (own,) = stage.views(4, 30, B)
    assert (own.profile_id, own.action_id) == (PA, action_id("default", B, "hot", 1))
    (duplicate,) = stage.move(A, PB, PA, 3)
    assert (duplicate.action_id, duplicate.duplicate_of) == (own.action_id, action_id("default", A, "hot", 1))


def consents(**purposes: bool) -> dict[str, Any]:
    return {"context": {"consent": purposes}}


def test_without_consent_a_trigger_waits_and_fires_when_it_is_given() -> None:
    stage = Stage(TriggerRule(name="hot", high=50, low=20, consent="sales/phone"))
    stage.touch(0, name="Other", **consents(sales=False))
    assert stage.views(5, 10) == []
    (action,) = stage.touch(20, name="Other", **consents(sales=True))
    assert action.consent == '{"sales":true}'


def test_required_consent_is_not_granted_by_silence() -> None:
    rule = TriggerRule(name="hot", high=50, low=20, consent="sales", consent_required=True)
    stage = Stage(rule)
    assert stage.views(6) == []
    assert [a.kind for a in stage.touch(9, **consents(sales=True))] == ["lead"]
    assert stage.views(5, 0, B) == []


def test_a_denial_that_a_merge_brings_holds_for_both() -> None:
    stage = Stage(TriggerRule(name="hot", high=50, low=20, consent="sales"))
    stage.touch(0, B, name="Other", **consents(sales=False))
    stage.move(B, PB, PA, 1)
    assert stage.views(6) == []
    assert [a.kind for a in stage.move(B, PA, PB, 2)] == ["lead"]


def test_changed_rules_evaluate_a_profile_at_once() -> None:
    stage = Stage(HOT)
    stage.views(3)
    lower = compile_rules(AggregateRules(), SCORES, TriggerRules(triggers=(TriggerRule(name="hot", high=30, low=20),)))
    (action,) = (lead.action for lead in ProfileLogic(lower, stage.table).evaluate([PA], 0).leads)
    assert action.score == 30


def test_an_episode_is_booked_under_the_strongest_anchor_or_else_under_the_first() -> None:
    stage = Stage(HOT)
    for anchor in (A, B, DEVICE):
        stage.touch(0, anchor, to=PB)
    row = stage.table.rows[PB]
    assert booking_anchor(row, STRENGTH) == A
    assert booking_anchor(row, Strength({"device_id": 1, "user_id": 2}, ())) == DEVICE


def test_an_episode_of_a_device_moves_to_the_person_that_logs_in_and_stays() -> None:
    stage = Stage(HOT, strength=STRENGTH)
    (lead,) = stage.views(5, 0, DEVICE)
    stage.touch(10, A, name="Other")
    assert stage.move(DEVICE, PDEVICE, PA, 1) == []
    (other,) = stage.move(DEVICE, PA, PB, 2)
    assert stage.table.rows[PA].anchors[A].episodes["hot"].number == 1
    assert "hot" in stage.table.rows[PB].anchors[DEVICE].episodes
    assert (lead.profile_id, other.profile_id) == (PDEVICE, PB)
    assert lead.action_id != other.action_id


def test_a_trigger_on_a_score_without_rules_is_refused() -> None:
    with pytest.raises(ValueError, match="no score rule adds to it"):
        Stage(TriggerRule(name="hot", high=2, low=1, score="mood"))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"consent_required": True}, "consent_required without consent"),
        ({"low": 0}, "low must be above 0"),
        ({"low": 60}, "not above high"),
        ({"cooldown_ms": -1}, "below zero"),
    ],
)
def test_an_invalid_trigger_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TriggerRule(**({"name": "hot", "high": 50, "low": 20} | rule))
    with pytest.raises(ValueError, match="there twice"):
        TriggerRules(triggers=(HOT, HOT))
