"""An erasure removes a person from what a puller remembers, and its deletion in the CRM is no event."""

import pytest

from connectors.crm.ledger_row import LedgerRow, value_hash
from pipeline.event.erasure import Marking, digest_of
from tests.crm.journal_world import WORLDS
from tests.crm.pull_world import PullWorld, names

ANN = {"email": "ann@shop.example", "firstname": "Ann", "phone": "+493090182001"}


def erase(world: PullWorld, *identifiers: str, seq: int = 1, tenant: str = "default") -> None:
    """STITCH's decision about a customer, as it stands on the topic of marks."""
    digests = [digest_of(tenant, ident) for ident in identifiers]
    world.topics.markings.append(Marking(tenant, f"r{seq}", "erase", seq, world.clock(), digests, []))


def remembered(world: PullWorld) -> dict[str, bytes]:
    """The rows of the topic after compaction, by their keys."""
    return {key: value for key, value in world.topics.state.items() if value is not None and "/cursor/" not in key}


@pytest.fixture(params=WORLDS.values(), ids=WORLDS)
def world(request) -> PullWorld:
    world = request.param()
    world.ann, world.ben = world.hub.put("contacts", **ANN), world.hub.put("contacts", email="ben@shop.example")
    world.deal = world.hub.put("deals", dealstage="won", amount="99.50", hs_is_closed_won="true")
    world.hub.link("deals", world.deal, "contacts", world.ann)
    world.pull()
    return world


def test_no_row_names_the_contact_and_others_keep_theirs(world):
    before = remembered(world)
    assert world.ann.encode() in b"".join(before.values())
    erase(world, f"crm_contact_id:{world.ann}", "email:ann@shop.example")
    assert world.pull() == []

    after = remembered(world)
    assert f"hub/contact/{world.ann}" not in after
    assert world.ann not in "".join(after).replace(f"hub/deal/{world.deal}", "")
    assert world.ann.encode() not in b"".join(after.values())
    assert after[f"hub/contact/{world.ben}"] == before[f"hub/contact/{world.ben}"]
    assert set(before) - set(after) == {f"hub/contact/{world.ann}"}


def test_the_deletion_of_an_erased_contact_is_no_event_and_that_of_another_is(world):
    erase(world, f"crm_contact_id:{world.ann}")
    for contact in (world.ann, world.ben):
        world.hub.remove("contacts", contact)
    world.pass_time(3_600)

    assert [(event.name, event.identifiers) for event in world.pull()] == [
        ("Contact Deleted", [f"crm_contact_id:{world.ben}"])
    ]
    assert f"hub/contact/{world.ann}" not in remembered(world)


def test_a_puller_that_was_away_removes_the_contact_once(world):
    erase(world, f"crm_contact_id:{world.ann}")
    world.pull()
    commits = world.topics.commits
    world.hub.put("contacts", world.ann, firstname="Anna")  # the CRM still has the contact: news after the erasure
    assert names(world.pull()) == ["identify"]
    assert world.pull() == []
    assert f"hub/contact/{world.ann}" in remembered(world)
    assert world.topics.commits > commits


def test_another_tenants_erasure_removes_nothing(world):
    before = remembered(world)
    erase(world, f"crm_contact_id:{world.ann}", tenant="other")
    world.pull()

    assert remembered(world) == before


def sync_row(world: PullWorld, object_id: str, state: str, **fields: str) -> LedgerRow:
    """A row of an object that follows a profile."""
    return LedgerRow(
        sink="hub", tenant="default", action_id=f"sync:{object_id}", state=state, written_ms=world.clock(),
        object="contact" if fields else "", object_id=object_id if fields else "",
        fields={name: value_hash(value) for name, value in fields.items()},
    )  # fmt: skip


def sync_emptied(world: PullWorld, contact: str) -> None:
    """The sink empties the one field of an erased customer's contact, and takes its row off the ledger."""
    world.hub.put("contacts", contact, jobtitle="")
    world.topics.ledger += [sync_row(world, contact, "sync", jobtitle=""), sync_row(world, contact, "removed")]


@pytest.mark.parametrize("restarts", [False, True])
def test_the_emptying_of_an_erased_contacts_fields_is_no_news_and_an_edit_is(world, restarts):
    world.hub.put("contacts", world.ann, jobtitle="gold")
    world.topics.ledger.append(sync_row(world, world.ann, "sync", jobtitle="gold"))
    world.pull()
    erase(world, f"crm_contact_id:{world.ann}", "email:ann@shop.example")
    if restarts:
        world.pull()
    world.pass_time(30)
    sync_emptied(world, world.ann)

    assert world.pull() == []
    assert f"hub/contact/{world.ann}" not in remembered(world)
    world.pass_time(120)
    world.hub.put("contacts", world.ann, firstname="Anna")
    assert names(world.pull()) == ["identify"]


def test_the_emptying_of_a_contact_that_stays_is_the_sinks_own_write(world):
    world.hub.put("contacts", world.ann, jobtitle="gold")
    world.topics.ledger.append(sync_row(world, world.ann, "sync", jobtitle="gold"))
    assert world.pull() == []
    sync_emptied(world, world.ann)

    assert world.pull() == []
    world.hub.put("contacts", world.ann, jobtitle="boss")
    assert [event.traits["title"] for event in world.pull()] == ["boss"]


def test_an_object_that_a_sync_no_longer_finds_is_still_a_deletion(world):
    world.topics.ledger.append(sync_row(world, world.ben, "sync", jobtitle="gold"))
    world.pull()
    world.hub.remove("contacts", world.ben)
    world.topics.ledger.append(sync_row(world, world.ben, "erased"))
    world.pass_time(3_600)

    assert names(world.pull()) == ["Contact Deleted"]


def test_a_contact_that_only_the_sink_knows_goes_with_its_ledger_row(world):
    contact = world.hub.put("contacts", email="own@shop.example")
    world.sink_wrote(contact, email="own@shop.example")
    world.pull()
    assert f"hub/contact/{contact}" in remembered(world)
    world.sink_erased(contact)
    world.hub.remove("contacts", contact)
    world.pass_time(3_600)

    assert world.pull() == []
    assert f"hub/contact/{contact}" not in remembered(world)
