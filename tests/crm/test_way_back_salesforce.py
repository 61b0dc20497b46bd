"""Salesforce's objects by SystemModstamp: edits, conversions, merges, deletions, deals and tasks."""

import pytest

from tests.crm.pull_world import names
from tests.crm.pull_worlds import SalesforceWorld


@pytest.fixture
def world():
    return SalesforceWorld()


def test_a_lead_is_edited_converted_and_its_deal_won(world):
    world.org.put("Lead", "00Q1", Email="c1@shop.example", Status="Open", OwnerId="0051")
    (event,) = world.pull()
    assert event.traits == {"lead_status": "Open", "owner": "0051"}
    world.org.put("Contact", "0031", Email="c1@shop.example", AccountId="0011")
    world.org.put("Lead", "00Q1", IsConverted=True, ConvertedContactId="0031")
    contact = {"ContactId": "0031", "Contact.Email": "c1@shop.example"}
    world.org.put("Opportunity", "0061", Name="Rollout", StageName="Proposal", Amount=1000.0, IsClosed=False, **contact)
    assert sorted(names(world.pull())) == ["Deal Created", "Lead Converted", "group", "identify"]
    (command,) = world.topics.commands
    assert (command.a, command.b) == ("crm_contact_id:00Q1", "crm_contact_id:0031")
    world.org.put("Opportunity", "0061", StageName="Closed Won", IsWon=True, IsClosed=True, Amount=1200.25)
    won = next(event for event in world.pull() if event.name == "Deal Won")
    assert (won.amount_minor, won.identifiers) == (120_025, ["crm_contact_id:0031", "email:c1@shop.example"])


def test_merged_and_deleted_contacts_and_tasks(world):
    for name in ("0031", "0032", "0033"):
        world.org.put("Contact", name, Email=f"{name}@shop.example")
    world.org.put("Task", "00T1", Subject="Price", TaskSubtype="Call", Status="Completed", WhoId="0031")
    world.org.put("Task", "00T2", Subject="Stitchline lead", Status="Completed", WhoId="0031")
    assert sorted(names(world.pull())) == ["Call Logged", "identify", "identify", "identify"]
    world.org.put("Contact", "0032", IsDeleted=True, MasterRecordId="0031")
    world.org.put("Contact", "0033", IsDeleted=True)
    assert sorted(names(world.pull())) == ["Contact Deleted", "Contact Merged"]
    assert [(command.a, command.b) for command in world.topics.commands] == [
        ("crm_contact_id:0032", "crm_contact_id:0031")
    ]
    assert world.pull() == []


def test_one_time_for_many_objects_and_a_late_commit(world):
    for number in range(1_100):
        world.org.put("Contact", f"003{number:05d}", Title="Buyer")
    world.org.hidden.add("00300007")
    assert len({event.identifiers[0] for event in world.pull()}) == 1_099
    world.org.hidden.clear()
    assert [event.identifiers for event in world.pull()] == [["crm_contact_id:00300007"]]
    assert world.pull() == []


def test_answers_that_are_shorter_than_the_limit_lose_nothing(world):
    world.org.batch = 7
    for number in range(20):
        world.org.put("Contact", f"003{number:05d}", Title="Buyer")
    assert len(world.pull()) == 20
    assert world.pull() == []
