"""What PROFILE tells ROUTE: the action, and the facts about the customer that only routing reads."""

import msgspec

from pipeline.profile.booking import Plan
from pipeline.profile.ledger import Ledger
from pipeline.trigger.messages import FACTS, Lead, facts_of, lead_of
from tests.property.profile_histories import folded, touch

ONE = touch(1, 0, traits={"country": "FR", "tags": ["b2b"]}, channel="pos")
LATER = touch(
    2, 5, "email:a@b.org", traits={"country": "DE"}, channel="ads", context={"campaign": {"name": "autumn"}}
)  # fmt: skip


def test_routing_may_look_at_the_newest_traits_and_the_last_touch_of_all_ledgers() -> None:
    plan = Plan([], [])
    facts = facts_of([folded(plan, [LATER]), folded(plan, [ONE])], ["engaged"])
    assert facts == {
        "traits": {"country": "DE", "tags": ["b2b"]}, "channel": "ads", "campaign": "autumn", "segments": ["engaged"],
    }  # fmt: skip


def test_who_has_no_touch_has_no_facts() -> None:
    assert facts_of([Ledger()], []) == {"traits": {}, "channel": "", "campaign": "", "segments": []}


def test_a_lead_is_its_action_without_the_facts_also_after_the_wire() -> None:
    told = {"traits": {"a": 1}, "channel": "web", "campaign": "x", "segments": ["engaged"]}
    action = {"tenant": "default", "action_id": "1", FACTS: told}
    lead = lead_of(action)
    assert lead == Lead("default", {"tenant": "default", "action_id": "1"}, {"a": 1}, "web", "x", ["engaged"])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(lead), type=Lead) == lead


def test_a_lead_that_was_sent_before_segments_were_told_is_still_read() -> None:
    earlier = msgspec.msgpack.encode(["lead", "default", {"action_id": "1"}, {"a": 1}, "web", "x"])
    assert msgspec.msgpack.decode(earlier, type=Lead).segments == []
