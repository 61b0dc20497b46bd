"""Dynamics' delta links: what has changed, what was deleted, and what happens when a link has expired."""

import pytest

from tests.crm.pull_world import names
from tests.crm.pull_worlds import DynamicsWorld
from tests.support.crm_log import Stop


@pytest.fixture
def world():
    return DynamicsWorld()


def test_all_rows_come_first_and_then_only_changes(world):
    for number in range(8):
        world.put("contacts", f"c{number}", emailaddress1=f"c{number}@shop.example", jobtitle="Buyer")
    assert names(world.pull()) == ["identify"] * 8
    requests = len(world.tables.calls)
    assert world.pull() == []
    assert len(world.tables.calls) - requests == 4
    world.put("contacts", "c3", jobtitle="Head")
    world.tables.remove("contacts", "c4")
    identify, deleted = sorted(world.pull(), key=lambda event: event.name)
    assert identify.traits == {"title": "Head"}
    assert (deleted.name, deleted.identifiers) == ("Contact Deleted", ["crm_contact_id:c4"])


def test_a_qualified_lead_is_joined_with_its_contact_and_its_deal_is_won(world):
    world.put("leads", "l1", emailaddress1="c1@shop.example", statecode=0)
    world.pull()
    world.put("contacts", "c1", emailaddress1="c1@shop.example")
    world.put("leads", "l1", statecode=1, _parentcontactid_value="c1")
    world.put("opportunities", "o1", name="Rollout", stepname="1-Qualify", statecode=0, estimatedvalue=1000.0,
              _parentcontactid_value="c1")  # fmt: skip
    assert sorted(names(world.pull())) == ["Deal Created", "Lead Converted", "identify"]
    (command,) = world.topics.commands
    assert (command.kind, command.a, command.b) == ("link", "crm_contact_id:l1", "crm_contact_id:c1")
    world.put("opportunities", "o1", stepname="4-Close", statecode=1, actualvalue=950.5)
    won = next(event for event in world.pull() if event.name == "Deal Won")
    assert (won.amount_minor, won.currency, won.identifiers) == (95_050, "EUR", ["crm_contact_id:c1"])


@pytest.mark.parametrize("status", [400, 410, 412, 500])
def test_an_expired_link_is_reported_and_filled_without_a_repetition(world, status):
    world.tables.expired_status = status
    for number in range(8):
        world.put("contacts", f"c{number}", emailaddress1=f"c{number}@shop.example", jobtitle="Buyer")
    world.pull()
    world.put("contacts", "c3", jobtitle="Head")
    world.tables.remove("contacts", "c4")
    world.tables.expire()

    # Readiness states the gap until the table is listed again, page by page.
    world.pass_time(60)
    puller = world.open()
    puller.start()
    pages = []
    original = puller._reader.changes
    puller._reader.changes = lambda stream, cursor: (pages.append([*puller.not_ready()]), original(stream, cursor))[1]
    assert puller.step(Stop(world.clock))
    assert any("contacts again" in reason for reasons in pages for reason in reasons)
    assert puller.not_ready() == []
    assert puller.counts.gaps == len(puller._reader.streams())
    happened = sorted(world.topics.take(), key=lambda event: event.name)
    assert [(event.type, event.name) for event in happened] == [("identify", ""), ("track", "Contact Deleted")]
    assert happened[0].traits == {"title": "Head"}
    assert world.pull() == []


def test_many_changes_after_the_first_listing_come_in_pages(world):
    for number in range(4):
        world.put("contacts", f"c{number}", jobtitle="Buyer")
    assert len(world.pull()) == 4
    for number in range(10):
        world.put("contacts", f"c{number}", jobtitle="Head")
    world.tables.remove("contacts", "c0")
    assert sorted(names(world.pull())) == ["Contact Deleted", *["identify"] * 9]
    assert world.pull() == []
