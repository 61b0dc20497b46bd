"""A customer that is erased leaves no values in the CRM, and no row of the ledger that names the record."""

import pytest

from tests.crm.emulators import KINDS
from tests.crm.sync_world import BLANK, FULL, SyncWorld, vip
from tests.crm.world import action


@pytest.fixture(params=KINDS)
def world(request) -> SyncWorld:
    return SyncWorld(request.param)


def test_an_erased_customer_leaves_neither_record_nor_profile_id(world):
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()
    world.send({"action_id": f"{1:032x}", "tenant": "t", "kind": "erase", "revision": 99})
    world.publish("p1", status=None)
    world.run()

    assert world.crm.leads() == {}
    assert "p1" not in {row.profile_id for row in world.topics.newest().values()}
    assert world.sync_rows() == {}
    assert world.topics.quarantine == []


def test_an_erased_customer_whose_record_stays_leaves_no_row_with_its_id(world):
    theirs = world.crm.add_by_hand("ann@shop.example")
    world.publish("p1", **vip(tenant="default", identifiers=[f"crm_contact_id:{theirs}"]))
    world.run()
    assert world.sync_rows()
    world.publish("p1", status=None)
    world.run()
    calls = len(world.crm.calls)
    world.run()

    assert world.values(theirs) == BLANK
    assert theirs not in str(world.topics.newest())
    assert world.writes(calls) == 0


def test_a_record_without_values_and_one_that_was_deleted_go_with_their_customer():
    world = SyncWorld("hubspot", consent="marketing")
    world.send(action(1), action(2))
    for name in ("p1", "p2"):
        world.publish(name, **vip())
    world.run()
    world.crm.delete_by_hand(world.lead_id(f"{2:032x}"))
    world.publish("p1", **vip(), consent={"marketing": False})
    world.publish("p2", **vip(score=7))
    world.run()
    assert {row.state for row in world.sync_rows().values()} == {"sync", "erased"}
    for name in ("p1", "p2"):
        world.publish(name, status=None)
    world.run()

    assert world.sync_rows() == {}


def test_a_sink_that_was_away_empties_the_record_of_an_erased_customer(world):
    world.send(action(1), action(2))
    for name in ("p1", "p2"):
        world.publish(name, **vip())
    world.run()
    world.topics.updates.clear()  # compaction leaves the tombstone only
    world.publish("p1", status=None)
    world.publish("p2", **vip())
    world.publish("p3", status=None)
    world.run()

    assert [world.lead_values(number) for number in (1, 2)] == [BLANK, FULL]
    assert {row.profile_id for row in world.sync_rows().values()} == {"p2"}


def test_a_refused_emptying_stays_open_until_a_resync():
    world = SyncWorld("hubspot")
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()
    world.crm.refuses = (world.named["listed"], "")
    world.publish("p1", status=None)
    assert world.run().quarantined == 1
    assert {row.profile_id for row in world.sync_rows().values()} == {"p1"}
    assert world.run().quarantined == 0
    world.crm.refuses = ("", "")
    world.resync(segment="vip")
    assert world.lead_values(1) == FULL, "a part of the fields is not emptied alone"
    world.resync()

    assert world.lead_values(1) == BLANK
    assert world.sync_rows() == {}
