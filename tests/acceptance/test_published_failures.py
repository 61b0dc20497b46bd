"""Failures that users of other identity resolution products have published, with the values that are right.

Each scenario runs through ``identity resolve`` and the stages, event by event and at once.
"""

from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.identity.rules import Preset
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.testing.build import event_json
from tests.support.customers import customers, resolved
from tests.support.simulated import Story, decision

Json = dict[str, Any]
Customers = list[list[str]]


def under(preset: Preset) -> Rules:
    shipped = load_rules()
    return msgspec.structs.replace(shipped, identity=msgspec.structs.replace(shipped.identity, preset=preset))


def identify(at: int, **more: Any) -> Json:
    return event_json(at, "", type="identify", **more)


def of_people(groups: Customers) -> Customers:
    """Leaves out identifiers that stand alone and name nobody: they have no profile if they have no events."""
    return [group for group in groups if len(group) > 1 or group[0].startswith(("user_id:", "email:"))]


def agree_on(tmp_path: Path, events: list[Json], wanted: Customers) -> None:
    assert of_people(resolved(tmp_path, events)) == wanted
    assert of_people(customers(Story().tell(*events))) == wanted
    assert of_people(customers(Story().one_by_one(events))) == wanted


def test_a_reset_that_keeps_the_anonymous_id_merges_no_log_ins(tmp_path: Path) -> None:
    """https://github.com/rudderlabs/rudder-sdk-js/issues/206: four ids were sent under one anonymous id, and merged."""
    events = [identify(n, userId=user, anonymousId="a1") for n, user in enumerate(("u1", "111", "u2", "222"))]
    wanted = [["anonymous_id:a1", "user_id:222"], ["user_id:111"], ["user_id:u1"], ["user_id:u2"]]
    agree_on(tmp_path, events, wanted)
    agree_on(tmp_path, events[::-1], wanted)


def test_the_next_visitor_of_a_kiosk_is_not_the_last_one_who_checked_out(tmp_path: Path) -> None:
    """https://github.com/rudderlabs/rudder-sdk-react-native/issues/7: one device, anonymous until each checkout."""
    kiosk: Json = {"anonymousId": "kiosk", "channel": "app"}
    events: list[Json] = []
    for visitor in range(3):
        at = 10 * visitor
        events += [
            event_json(at, "product_viewed", **kiosk),
            event_json(at + 1, "checkout_started", userId=f"v{visitor}", **kiosk),
            event_json(at + 2, "signed_out", userId=f"v{visitor}", **kiosk),
        ]
    events.append(event_json(90, "product_viewed", **kiosk))
    wanted = [["user_id:v0"], ["user_id:v1"], ["user_id:v2"]]
    agree_on(tmp_path, events, wanted)
    story = Story(under("logout-resets")).one_by_one(events)
    assert customers(story) == [["anonymous_id:kiosk"], *wanted]


def test_an_identify_with_the_browser_of_another_customer_moves_the_browser_alone(tmp_path: Path) -> None:
    """https://github.com/PostHog/posthog/issues/11873, case 1: Alice is identified in Bob's browser."""
    events = [
        identify(0, userId="alice", anonymousId="alice-1"),
        identify(1, userId="alice", anonymousId="alice-2"),
        identify(2, userId="bob", anonymousId="bob-1"),
        identify(3, userId="alice", anonymousId="bob-1"),
    ]
    alice = ["anonymous_id:alice-1", "anonymous_id:alice-2", "anonymous_id:bob-1", "user_id:alice"]
    for order in permutations(events):
        assert resolved(tmp_path, list(order)) == [alice, ["user_id:bob"]]
    agree_on(tmp_path, events, [alice, ["user_id:bob"]])
    back = [*events, identify(4, userId="bob", anonymousId="bob-1")]
    agree_on(tmp_path, back, [[*alice[:2], "user_id:alice"], ["anonymous_id:bob-1", "user_id:bob"]])


def test_an_alias_of_two_customers_by_mistake_can_be_taken_back() -> None:
    """https://github.com/PostHog/posthog/issues/11873, case 3: an alias joined two people, and could not be undone."""
    events = [
        identify(0, userId="alice", anonymousId="alice-1", traits={"email": "alice@shop.example"}),
        identify(1, userId="bob", anonymousId="bob-1", traits={"email": "bob@shop.example"}),
    ]
    story = Story().tell(*events)
    bob = {key: line for key, line in story.lines().items() if b"bob" in line}
    story.tell(event_json(2, "", type="alias", userId="alice", previousId="bob"))
    assert len(story.lines()) == 1
    story.tell(decision("unlink", "user_id:alice", "user_id:bob"))
    assert bob.items() <= story.lines().items()
    assert customers(story) == [
        ["anonymous_id:alice-1", "anonymous_id:bob", "email:alice@shop.example", "user_id:alice"],
        ["anonymous_id:bob-1", "email:bob@shop.example", "user_id:bob"],
    ], "as a browser's id, which no event had, bob stays with the alias"


@pytest.mark.parametrize("nothing", [None, "", "null", "undefined", 0], ids=repr)
def test_identifying_nobody_merges_no_visitors(nothing: Any, tmp_path: Path) -> None:
    """https://github.com/PostHog/posthog/issues/5527: ``identify(null)`` of everyone who is logged out."""
    events = [identify(n, userId=nothing, anonymousId=f"a{n}") for n in range(12)]
    wanted = sorted([f"anonymous_id:a{n}"] for n in range(12))
    assert resolved(tmp_path, events) == customers(Story().tell(*events)) == wanted


def test_a_profile_that_was_created_a_moment_before_does_not_keep_its_email(tmp_path: Path) -> None:
    """https://support.twilio.com/hc/en-us/articles/51242345584027: the order of two events decided, for good."""
    events = [
        identify(0, anonymousId="a1", traits={"email": "ann@shop.example"}),
        event_json(0, "order_completed", messageId="order", userId="ann", properties={"total": "5", "currency": "EUR"}),
        identify(0, messageId="both", userId="ann", traits={"email": "ann@shop.example"}),
    ]
    wanted = [["anonymous_id:a1", "email:ann@shop.example", "user_id:ann"]]
    for order in permutations(events):
        assert resolved(tmp_path, list(order)) == wanted
        assert customers(Story().one_by_one(order)) == wanted


def test_a_cookie_that_goes_to_another_user_takes_no_events_of_the_first_along() -> None:
    """https://github.com/snowplow/dbt-snowplow-web/issues/42: all sessions of a cookie go to its latest user."""
    story = Story().one_by_one([
        event_json(0, "product_viewed", anonymousId="c1"),
        *(event_json(n, "product_viewed", anonymousId="c1", userId="ann") for n in (1, 2)),
        *(event_json(10 + n, "product_viewed", anonymousId=f"c{n}", userId="ann") for n in (2, 3)),
        event_json(20, "product_viewed", anonymousId="c1", userId="bob"),
    ])  # fmt: skip
    profiles = [msgspec.json.decode(line) for line in story.exported().splitlines()]
    touches = {
        name: profile["touches"]
        for profile in profiles
        for name in profile["identifiers"]
        if name.startswith("user_id")
    }
    assert touches == {"user_id:ann": 4, "user_id:bob": 2}, "the anonymous visit goes along, as the preset says"
    assert customers(story) == [
        ["anonymous_id:c1", "user_id:bob"], ["anonymous_id:c2", "anonymous_id:c3", "user_id:ann"],
    ]  # fmt: skip


def test_a_tracker_that_makes_a_new_browser_id_on_every_page_harms_no_one_else(tmp_path: Path) -> None:
    """https://github.com/snowplow/snowplow-javascript-tracker/issues/627: ids were not kept between pages."""
    events = [event_json(n, "product_viewed", anonymousId=f"a{n}", userId="ann") for n in range(30)]
    events += [identify(40, userId="bob", anonymousId="b1")]
    for some in (events, events[::-1]):
        groups = resolved(tmp_path, some)
        (ann,) = [group for group in groups if "user_id:ann" in group]
        assert len(ann) == 21, "the shipped limit of browsers, the newest"
        assert set(ann) == {"user_id:ann", *(f"anonymous_id:a{n}" for n in range(10, 30))}
        assert ["anonymous_id:b1", "user_id:bob"] in groups
        assert customers(Story().tell(*some)) == [ann, ["anonymous_id:b1", "user_id:bob"]]
