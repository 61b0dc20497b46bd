"""`stitchline crm setup` and `crm check` of HubSpot's webhooks journal: its subscriptions."""

import msgspec
import pytest

from connectors.crm.hubspot.gateway import HubSpotGateway
from connectors.crm.preparation import Preparation
from pipeline.rules.crm_back import CrmTrait
from tests.crm.journal_world import JournalWorld

ALL = 8 + 6 + 1
"""A subscription of each type, of the associations of deals and each activity, and of privacy deletions."""


@pytest.fixture
def world():
    world = JournalWorld()
    world.hub.prepare()
    world.hub.add_fields(["jobtitle"])
    world.hub.subscriptions.clear()
    world.connection = msgspec.structs.replace(world.connection, owners=())
    return world


def preparation(world):
    return Preparation(world.connection, HubSpotGateway(world.connection, world.http().send, world.clock))


def test_setup_creates_each_missing_subscription_once_and_a_dry_run_none(world):
    planned = preparation(world).run(dry_run=True)
    assert len(planned) == ALL
    assert [one.text for one in planned[:2]] == [
        "missing: subscription OBJECT of contacts (CREATE, DELETE, MERGE, RESTORE, UPDATE) of the journal",
        "missing: subscription GDPR_PRIVACY_DELETION of contacts (GDPR_DELETE) of the journal",
    ]
    assert world.hub.subscriptions == []
    done = preparation(world).run(dry_run=False)
    assert all(one.ok for one in done), done
    assert len(world.hub.subscriptions) == ALL
    assert {one["portalId"] for one in world.hub.subscriptions} == {4711}
    assert [one.text for one in preparation(world).run(dry_run=False)] == [done[-1].text]
    assert "written twice" in done[-1].text


def test_check_names_a_subscription_that_lacks_the_property_of_a_new_trait(world):
    preparation(world).run(dry_run=False)
    assert [one.ok for one in preparation(world).check()] == [True]
    traits = (*world.connection.back.traits, CrmTrait(field="lifecyclestage", trait="stage", of=("contacts",)))
    back = msgspec.structs.replace(world.connection.back, traits=traits)
    world.connection = msgspec.structs.replace(world.connection, back=back)
    (finding,) = preparation(world).check()
    assert not finding.ok
    assert "subscription OBJECT of contacts" in finding.text
    assert all(one.ok for one in preparation(world).run(dry_run=False))
    assert len(world.hub.subscriptions) == ALL


@pytest.mark.parametrize(
    "edit", [{"objectIds": [7]}, {"portalId": 1}, {"deletedAt": "2026-01-01T00:00:00Z"}, {"actions": []}]
)
def test_a_subscription_that_records_less_is_missing(world, edit):
    preparation(world).run(dry_run=False)
    world.hub.subscriptions[0] |= edit
    assert [one.ok for one in preparation(world).check()] == [False]


def test_a_type_id_may_come_as_an_object(world):
    preparation(world).run(dry_run=False)
    for one in world.hub.subscriptions:
        meta, inner = one["objectTypeId"].split("-")
        one["objectTypeId"] = {"metaTypeId": int(meta), "innerId": int(inner), "keyString": one["objectTypeId"]}
    assert [one.ok for one in preparation(world).check()] == [True]


def test_a_subscription_that_is_taken_in_part_is_a_problem_with_its_name(world):
    subscribed = world.hub._subscribed

    def takes_less(request):
        status, body = subscribed(request)
        return status, {**body, "actions": []}

    world.hub._subscribed = takes_less
    findings = preparation(world).run(dry_run=False)
    assert len([one for one in findings if "has not taken all of it" in one.text]) == ALL
