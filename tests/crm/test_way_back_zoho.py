"""Zoho's modules by time of change: edits, a conversion, a won deal, deletions, many records with one time."""

import pytest

from tests.crm.pull_world import names
from tests.crm.pull_worlds import ZohoWorld


@pytest.fixture
def world():
    return ZohoWorld()


def test_a_lead_is_edited_converted_and_its_deal_won(world):
    world.org.put("Leads", "1", Email="c1@shop.example", Title="Buyer", Owner={"id": "9", "name": "Ann"})
    (event,) = world.pull()
    assert event.traits == {"title": "Buyer", "owner": "9"}
    world.org.put("Contacts", "2", Email="c1@shop.example", Account_Name={"id": "3"})
    world.org.put("Leads", "1", Converted__s=True, Converted_Contact={"id": "2"})
    world.org.put("Deals", "4", Deal_Name="Rollout", Stage="Qualification", Amount=1000, Contact_Name={"id": "2"})
    assert sorted(names(world.pull())) == ["Deal Created", "Lead Converted", "group", "identify"]
    assert [(one.a, one.b) for one in world.topics.commands] == [("crm_contact_id:1", "crm_contact_id:2")]
    world.org.put("Deals", "4", Stage="Closed Won", Amount=1100.5)
    won = next(event for event in world.pull() if event.name == "Deal Won")
    assert (won.amount_minor, won.identifiers) == (110_050, ["crm_contact_id:2"])
    world.org.put("Deals", "4", Stage="Closed Lost to Competition")
    assert "Deal Lost" in names(world.pull())


def test_deleted_records_and_many_with_one_time(world):
    for number in range(1, 452):
        world.org.put("Contacts", f"{number:06d}", Title="Buyer")
    assert len({event.identifiers[0] for event in world.pull()}) == 451
    world.org.remove("Contacts", "000007")
    assert [(event.name, event.identifiers) for event in world.pull()] == [
        ("Contact Deleted", ["crm_contact_id:000007"])
    ]
    assert world.pull() == []


def test_answers_that_are_shorter_than_the_limit_lose_nothing(world):
    world.org.page = 7
    for number in range(1, 21):
        world.org.put("Contacts", f"{number:06d}", Title="Buyer")
    assert len(world.pull()) == 20
    for number in range(1, 21):
        world.org.remove("Contacts", f"{number:06d}")
    assert len(world.pull()) == 20
    assert world.pull() == []


def test_a_converted_lead_is_joined_once_and_more_than_its_list_reaches_are_all_read(world):
    for number in range(1, 2_502):
        world.org.put("Leads", str(number), Email=f"c{number}@shop.example")
        world.org.put("Leads", str(number), Converted__s=True, Converted_Contact={"id": str(10_000 + number)})
        world.pass_time(1)
    assert names(world.pull()) == ["Lead Converted"] * 2_501
    assert len({command.b for command in world.topics.commands}) == 2_501
    assert world.pull() == []
