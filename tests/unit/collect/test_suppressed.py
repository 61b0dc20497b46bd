"""Refused and erased customers at the door: their events are not even stored."""

import pytest

from connectors.collect.encode import RecordEncoder
from pipeline.avro.registry import FileIds
from pipeline.event.erasure import Marking, MarkKind, MarkTable, digest_of
from pipeline.event.instant import format_instant
from pipeline.obs import metrics as m
from tests.support.collecting import NOW_MS, RULES, Door

ANN, LATER_MS = {"userId": "ann"}, NOW_MS + 60_000


def marked(kind: MarkKind, seq: int = 1) -> Marking:
    people = [digest_of("default", "user_id:ann")]
    return Marking("default", f"r{seq}", kind, seq, NOW_MS, people, [digest_of("default", "device_id:d1")])


def door(*markings: Marking) -> Door:
    marks = MarkTable()
    for marking in markings:
        marks.note(marking)
    return Door(encoder=RecordEncoder(RULES.intake, RULES.identifiers, FileIds(), "cdp", marks))


def track(made: Door, at_ms: int = NOW_MS, **who: object) -> list[str]:
    """Sends one event. Returns the anchors of the events that were kept."""
    body = {"event": "look", "messageId": "m1", "timestamp": format_instant(at_ms), **who}
    assert made.send("POST", "/v1/track", body).status == 200
    return [event.identifiers[0] for event in made.kept.events]


def test_a_refused_customer_is_not_stored_and_counted():
    made = door(marked("opt_out"))

    assert track(made, LATER_MS, **ANN) == []
    assert made.kept.quarantined == []
    assert made.metrics.value(m.COLLECT_EVENTS, "shop", "segment", "suppressed") == 1


@pytest.mark.parametrize("order", [1, -1])
def test_the_last_decision_counts_in_any_order(order):
    made = door(*[marked("opt_out"), marked("opt_in", 2)][::order])

    assert track(made, **ANN)


def test_an_erased_customer_is_refused_up_to_the_erasure_only():
    assert track(door(marked("erase")), NOW_MS, **ANN) == []
    assert track(door(marked("erase")), LATER_MS, **ANN)


def test_a_device_of_a_refused_customer_does_not_keep_others_out():
    assert track(door(marked("opt_out")), userId="ben", context={"device": {"id": "d1"}})
    assert track(door(marked("opt_out")), userId="cleo")
    assert door().kept.records == []
