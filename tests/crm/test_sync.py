"""Segments, scores and traits in the CRM: what every sink keeps up to date."""

import pytest

from pipeline.rules.crm_sync import CrmSync, SyncField
from tests.crm.world import World, action

FIELDS = (
    SyncField(to="in_vip", value="segment.vip"),
    SyncField(to="all_segments", value="segments", segments=("vip", "buyers")),
    SyncField(to="engagement", value="score.engagement", decimals=0),
    SyncField(to="plan", value="trait.plan"),
)


@pytest.fixture
def world():
    world = World("hubspot", sync=CrmSync(fields=FIELDS, every_seconds=0))
    world.crm.types["contacts"] |= {
        "in_vip": "bool",
        "all_segments": "string",
        "engagement": "number",
        "plan": "string",
    }
    return world


def held(world, number):
    contact = world.crm.objects["contacts"][world.lead_id(f"{number:032x}")]
    return {field.to: contact.get(field.to, "") for field in FIELDS}


def test_a_known_customer_gets_its_values(world):
    world.send(action(1))
    world.publish("p1", segments=["vip", "buyers"], scores={"engagement": 41.6}, traits={"plan": "gold"})
    world.publish("p2", segments=["vip"])
    world.run()

    assert held(world, 1) == {"in_vip": "true", "all_segments": "vip;buyers", "engagement": "42", "plan": "gold"}
    assert len(world.crm.leads()) == 1

    world.publish("p1", segments=["buyers"], scores={"engagement": 41.9})
    calls = len(world.crm.calls)
    world.run()
    assert held(world, 1) == {"in_vip": "false", "all_segments": "buyers", "engagement": "42", "plan": ""}
    assert len([call for call in world.crm.calls[calls:] if world.crm.updates.fullmatch(call)]) == 1

    calls = len(world.crm.calls)
    world.run()
    assert not [call for call in world.crm.calls[calls:] if world.crm.updates.fullmatch(call)]
