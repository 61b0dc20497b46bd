"""Leads from PROFILE to ROUTE: the action, and the facts about the customer that only routing reads."""

import msgspec

from pipeline.profile.booking import Plan
from pipeline.profile.ledger import Ledger
from pipeline.profile.records import CrmAction, Lead
from pipeline.profile.row import Membership, ProfileRow
from pipeline.score.forecast import Forecaster
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.trigger.action import DUPLICATE, ActionContext, Firing, lead_of
from pipeline.trigger.rules import TriggerRule
from tests.property.profile_histories import START_MS, folded, touch

ONE = touch(1, 0, traits={"country": "FR", "tags": ["b2b"]}, channel="pos")
LATER = touch(
    2, 5, "email:a@b.org", traits={"country": "DE"}, channel="ads", context={"campaign": {"name": "autumn"}}
)  # fmt: skip
RULE = TriggerRule(name="hot", high=50, low=20)


def lead(row: ProfileRow, duplicate_of: str = "") -> Lead:
    context = ActionContext(Scores(ScoreRules()), Forecaster(None))
    return lead_of("p", row, Firing(RULE, "a-1", 1, duplicate_of), context, START_MS)


def test_routing_may_look_at_the_newest_traits_and_the_last_touch_of_all_ledgers() -> None:
    plan = Plan([], [])
    row = ProfileRow("default", anchors={"email:a@b.org": folded(plan, [LATER]), "user_id:1": folded(plan, [ONE])})
    row.segments["engaged"] = Membership(inside=True)
    result = lead(row)
    assert result.traits == {"country": "DE", "tags": ["b2b"]}
    assert (result.channel, result.campaign, result.segments) == ("ads", "autumn", ["engaged"])


def test_a_profile_without_touches_has_no_facts() -> None:
    result = lead(ProfileRow("default", anchors={"user_id:1": Ledger()}))
    assert (result.traits, result.channel, result.campaign, result.segments) == ({}, "", "", [])


def test_a_lead_is_its_action_and_the_facts_also_after_the_wire() -> None:
    row = ProfileRow("default", anchors={"user_id:1": folded(Plan([], []), [ONE])})
    result = lead(row)
    assert (result.tenant, result.action.action_id, result.action.kind, result.action.threshold) == (
        "default", "a-1", "lead", 50.0,
    )  # fmt: skip
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(result), type=Lead) == result


def test_an_action_that_duplicates_another_names_the_one_that_stays() -> None:
    action = lead(ProfileRow("default", anchors={"user_id:1": Ledger()}), "a-0").action
    assert (action.kind, action.duplicate_of, action.owner, action.revision) == (DUPLICATE, "a-0", "", 1)


def test_a_lead_without_segments_from_an_older_version_is_still_read() -> None:
    earlier = msgspec.msgpack.encode(["lead", "default", {"action_id": "1"}, {"a": 1}, "web", "x"])
    assert msgspec.msgpack.decode(earlier, type=Lead) == Lead("default", CrmAction(action_id="1"), {"a": 1}, "web", "x")
