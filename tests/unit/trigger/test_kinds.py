"""Kinds of triggers: falling scores, segments, ``once``, quiet hours."""

from typing import Any

import pytest

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.records import CrmAction
from pipeline.trigger.rules import QuietHours, SegmentTrigger, TriggerRule, TriggerRules
from tests.property.profile_histories import START_MS
from tests.unit.trigger.test_watch import HOT, Stage, first_hour

COLD = TriggerRule(name="cold", high=40, low=15, falling=True)
MIDNIGHT_MS = START_MS - START_MS % DAY_MS


def summaries(actions: list[CrmAction]) -> list[tuple[str, str, int, int]]:
    return [(action.trigger, action.event, action.episode, action.timestamp_ms) for action in actions]


def test_a_falling_score_fires_below_low_with_no_event_but_only_after_it_was_up() -> None:
    stage = Stage(COLD)
    stage.views(3)
    assert stage.logic.evaluate(stage.table.rows, START_MS + 30 * DAY_MS).leads == []
    stage.views(4, 40 * DAY_MS)
    (action,) = (lead.action for lead in stage.logic.evaluate(stage.table.rows, START_MS + 60 * DAY_MS).leads)
    assert summaries([action])[0][:3] == ("cold", "fell_below", 1)
    assert (action.threshold, action.segment) == (15.0, "")
    assert action.score < 15
    assert START_MS + 41 * DAY_MS < action.timestamp_ms < START_MS + 43 * DAY_MS
    assert stage.logic.evaluate(stage.table.rows, START_MS + 90 * DAY_MS).leads == []


def test_a_trigger_with_once_fires_once_per_customer() -> None:
    stage = Stage(TriggerRule(name="welcome", high=50, low=20, once=True))
    assert [a.episode for a in stage.views(5)] == [1]
    assert stage.views(9, 20 * DAY_MS) == []


def test_a_trigger_in_quiet_hours_fires_in_the_morning_if_it_still_holds() -> None:
    stage = Stage(TriggerRule(name="polite", high=50, low=20, quiet=QuietHours(start="21:00", end="08:00")))
    night_ms = MIDNIGHT_MS + DAY_MS + 23 * HOUR_MS - START_MS
    assert stage.views(8, night_ms) == []
    (action,) = (lead.action for lead in stage.logic.evaluate(stage.table.rows, START_MS + 3 * DAY_MS).leads)
    assert action.timestamp_ms == MIDNIGHT_MS + 2 * DAY_MS + 8 * HOUR_MS


def test_a_score_that_fell_during_quiet_hours_does_not_fire() -> None:
    stage = Stage(TriggerRule(name="polite", high=50, low=20, quiet=QuietHours(start="21:00", end="08:00")))
    night_ms = MIDNIGHT_MS + DAY_MS + 23 * HOUR_MS - START_MS
    assert stage.views(5, night_ms) == []
    assert stage.logic.evaluate(stage.table.rows, START_MS + 3 * DAY_MS).leads == []


def test_a_trigger_that_waited_for_its_cooldown_fires_when_that_ends() -> None:
    stage = Stage(TriggerRule(name="hot", high=50, low=20, cooldown_ms=5 * DAY_MS))
    stage.views(5)
    opened_ms = START_MS + 4
    assert first_hour(stage, lambda score: score < 20) < opened_ms + 4 * DAY_MS
    assert stage.views(15, 4 * DAY_MS) == []
    (action,) = (lead.action for lead in stage.logic.evaluate(stage.table.rows, START_MS + 6 * DAY_MS).leads)
    assert (action.episode, action.timestamp_ms) == (2, opened_ms + 5 * DAY_MS)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"segment": "vip", "consent_required": True}, "consent_required without consent"),
        ({"segment": "vip", "cooldown_ms": -1}, "below zero"),
    ],
)
def test_an_invalid_segment_trigger_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SegmentTrigger(**({"name": "x"} | rule))


def test_triggers_of_both_kinds_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="there twice"):
        TriggerRules(triggers=(HOT,), segment_triggers=(SegmentTrigger(name="hot", segment="vip"),))
