"""A device with 500 log-ins and an inbox shared by 120 people: no merges, alerts, no effect on others."""

import io
import json
import logging
from collections import Counter
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog

from pipeline.event.identifier import type_of
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.obs import metrics as m
from pipeline.obs.log import configure
from pipeline.testing.build import event_json
from tests.support.simulated import TENANT, Story

START_MS = 1_772_366_400_000
MINUTE_MS = 60_000
LOG_INS, SHARERS, BYSTANDERS = 500, 120, 60
KIOSK, INBOX = "device_id:kiosk-0001", "email:office@corp.example"
BATCH = 40
"""Events between two commits."""
Events = list[dict[str, Any]]


def event(at: int, name: str = "product_viewed", **more: Any) -> dict[str, Any]:
    message_id = f"{at}-{name}-{more.get('userId', '')}"
    return event_json(at, name, start_ms=START_MS, step_ms=MINUTE_MS, messageId=message_id, source="shop", **more)


def bystanders() -> Events:
    """Customers with a browser, a log-in, an e-mail address and a telephone of their own."""
    result = []
    for who in range(BYSTANDERS):
        mine = {"userId": f"by-{who}"}
        result += [
            event(who, "browse", anonymousId=f"by-browser-{who}"),
            event(100 + who, "log_in", anonymousId=f"by-browser-{who}", **mine),
            event(200 + who, "look", identifiers={"device_id": f"by-phone-{who}"}, **mine),
            event(300 + who, "sign_up", identifiers={"email": f"by-{who}@shop.example"}, **mine),
            event(
                400 + who, "order_completed", properties={"total": f"{who}.50", "currency": "EUR", "order_id": who},
                **mine,
            ),
        ]  # fmt: skip
    return result


def visitors() -> Events:
    """Everyone who logs in on the kiosk, at home with a browser of their own before; the last ones by the inbox."""
    home = [event(who, "at_home", anonymousId=f"home-{who}", userId=f"v-{who}") for who in range(LOG_INS)]
    kiosk = [
        event(600 + who, "at_kiosk", userId=f"v-{who}", identifiers={"device_id": "kiosk-0001"})
        for who in range(LOG_INS)
    ]
    inbox = [
        event(1200 + who, "by_mail", userId=f"v-{who}", identifiers={"email": "office@corp.example"})
        for who in range(SHARERS)
    ]
    return home + kiosk + inbox


class Told(NamedTuple):
    """The end of a story, with its changes and log entries."""

    story: Story
    changes: list[dict[str, Any]]
    log: list[dict[str, Any]]

    def groups(self) -> dict[str, set[str]]:
        """Identifiers of every customer STITCH knows, by founder."""
        stored, result = self.story.identity(), dict[str, set[str]]()
        for ident in stored.identifiers():
            result.setdefault(stored.founder(ident), set()).add(ident)
        return result


@pytest.fixture(scope="module")
def told() -> Told:
    """All of them at the same time, committed every few events."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    configure("info", stream=out)
    story = Story()
    events = sorted([*bystanders(), *visitors()], key=lambda item: (item["timestamp"], item["messageId"]))
    for at in range(0, len(events), BATCH):
        story.tell(*events[at : at + BATCH])
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    return Told(story, story.changes(), [json.loads(line) for line in out.getvalue().splitlines()])


def test_no_customer_takes_in_others_and_shared_identifiers_belong_to_none(told):
    groups = told.groups()

    assert max(map(len, groups.values())) == 4
    assert {KIOSK} in groups.values()
    assert {INBOX} in groups.values()
    for who in range(LOG_INS):
        assert {f"user_id:v-{who}", f"anonymous_id:home-{who}"} in groups.values()


def test_every_event_is_booked_under_the_logged_in_person(told):
    profiles = [msgspec.json.decode(line) for line in told.story.exported().splitlines()]
    by_user = {
        anchor: profile for profile in profiles for anchor in profile["anchors"] if anchor.startswith("user_id:v-")
    }

    assert len(by_user) == LOG_INS
    assert {profile["touches"] for anchor, profile in by_user.items()} == {2, 3}
    assert sum(profile["touches"] for profile in profiles) == BYSTANDERS * 5 + LOG_INS * 2 + SHARERS


def test_other_customers_equal_those_of_a_run_without_kiosk_and_inbox(told):
    alone = Story().tell(*bystanders()).lines()

    assert len(alone) == BYSTANDERS
    assert alone.items() <= told.story.lines().items()


def test_the_public_log_contains_every_firebreak_and_every_rejected_link(told):
    kinds = Counter(change["change"] for change in told.changes)
    quarantined = {change["identifiers"][0]: change for change in told.changes if change["change"] == "quarantined"}
    shared = [change for change in told.changes if {KIOSK, INBOX} & set(change["identifiers"])]
    current = {tuple(change["identifiers"]) for change in shared if change["change"] in {"refused", "evicted"}}

    assert kinds["quarantined"] == 2
    assert {ident: change["rule"] for ident, change in quarantined.items()} == {
        KIOSK: "device_id: firebreak above 20", INBOX: "email: firebreak above 10",
    }  # fmt: skip
    assert all(change["reason"] == "firebreak" and change["trigger_event_id"] for change in quarantined.values())
    assert current >= {(f"user_id:v-{who}", KIOSK) for who in range(LOG_INS)}
    assert current >= {(f"user_id:v-{who}", INBOX) for who in range(SHARERS)}
    others = [change for change in told.changes if change not in shared]
    assert {change["change"] for change in others} == {"merged"}


def test_metrics_count_it_by_type(told):
    metrics = told.story.simulation.metrics
    kinds = Counter(change["change"] for change in told.changes)

    assert {kind: metrics.value(m.FIREBREAKS, kind) for kind in map(type_of, (KIOSK, INBOX))} == {
        "device_id": 1, "email": 1,
    }  # fmt: skip
    assert {kind: metrics.value(m.IDENTITY_CHANGES, kind) for kind in kinds} == kinds
    assert b'stitchline_firebreaks_total{type="device_id"} 1.0' in metrics.expose()[0]


def test_the_log_warns_once_for_each_and_names_no_person(told):
    warned = [entry for entry in told.log if entry["level"] == "warning"]

    assert [(entry["event"], entry["type"], entry["rule"], entry["profile_id"]) for entry in warned] == [
        ("identifier_quarantined", "device_id", "device_id: firebreak above 20", profile_id(TENANT, KIOSK)),
        ("identifier_quarantined", "email", "email: firebreak above 10", profile_id(TENANT, INBOX)),
    ]
    assert "kiosk-0001" not in str(told.log)
    assert "office@" not in str(told.log)


def test_why_names_the_firebreak_between_two_users_of_one_device(told):
    answer, area = told.story.identity().why(
        "user_id:v-490", "user_id:v-499", IdentityPolicy(told.story.rules.identity)
    )

    assert area.whole
    assert not answer.same_customer
    assert [(step.start, step.end) for step in answer.path] == [("user_id:v-490", KIOSK), (KIOSK, "user_id:v-499")]
    assert {obstacle.rule for obstacle in answer.obstacles} == {"device_id: firebreak above 20"}


def test_state_kept_for_them_does_not_grow_with_the_crowd(told):
    stored = told.story.identity()
    area = stored.around([KIOSK], IdentityPolicy(told.story.rules.identity))
    links = [current for current in area.resolution.rejected if current.merged_link.weak == KIOSK]

    assert 20 < len(links) < 100
