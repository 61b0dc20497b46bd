"""Erasures: what a CRM and a file hold of a lead is gone, whatever is lost on the way."""

import msgspec
import pytest

from connectors.crm.jsonl import JsonlSink
from pipeline.event.reason import Reason
from tests.crm import emulator as faults
from tests.crm.dynamics.emulator import Dynamics
from tests.crm.salesforce.emulator import Salesforce
from tests.crm.world import World, action, actions_of
from tests.crm.zoho.emulator import Zoho


def erase(number: int, revision: int = 2):
    """An erasure as PROFILE and ROUTE make it: everything but the lead's id is empty."""
    empty = {"action_id": f"{number:032x}", "tenant": "t", "profile_id": f"p{number}", "kind": "erase"}
    return {**empty, "trigger": "hot_lead", "episode": 1, "revision": revision, "contact": {}, "timeline": []}


def everything(world: World) -> str:
    stories = [world.crm.stories(name) for name in world.crm.leads()]
    return repr((world.crm.leads(), stories, world.topics.ledger[-2:]))


WORDS = {
    "hubspot": "cannot be deleted",
    "salesforce": "DELETE_FAILED",
    "dynamics": "A plug-in refuses",
    "zoho": "record not deleted",
}


def rows_of(world: World) -> list[str]:
    """The ids of all leads and contacts, also of converted ones."""
    if isinstance(world.crm, Salesforce):
        return [name for kind in ("Lead", "Contact") for name in world.crm.org.live(kind)]
    assert isinstance(world.crm, Dynamics | Zoho)
    return [name for kind, rows in world.crm.rows.items() if kind.lower() in {"leads", "contacts"} for name in rows]


def test_an_erasure_deletes_object_and_note_and_empties_the_ledger_row(world):
    world.send(action(1), action(2))
    world.run()
    assert "c1@shop.example" in everything(world)
    world.send(erase(1))
    runner = world.run()

    assert (runner.delivered, runner.quarantined) == (1, 0)
    assert "c1@shop.example" not in everything(world)
    assert [(row.state, row.object_id, row.fields) for row in world.topics.ledger[-1:]] == [("erased", "", {})]
    assert [one["email"] for one in world.crm.leads().values()] == ["c2@shop.example"]
    assert world.crm.note_count() == 1


def test_an_older_action_that_comes_later_does_not_bring_the_lead_back(world):
    world.send(action(1), erase(1, revision=3))
    world.run()
    world.send(action(1, revision=2), partition=1)
    world.run()

    assert world.crm.leads() == {}


def test_a_later_lead_under_the_same_id_is_a_new_object(world):
    world.send(action(1), erase(1))
    world.run()
    world.send(action(1, revision=3))
    world.run()

    assert world.lead(f"{1:032x}")["revision"] == "3"


@pytest.mark.parametrize("fault", [faults.LOST_BEFORE, faults.LOST_AFTER, faults.SLOW_DOWN, faults.SERVER_ERROR])
def test_a_lost_answer_or_a_limit_delays_the_erasure_only(world, fault):
    world.send(action(1))
    world.run()
    world.crm.planned = [fault]
    world.send(erase(1))
    world.run()

    assert world.crm.leads() == {}
    assert world.quarantined == {}


def test_an_object_whose_ledger_row_was_never_written_is_found_by_its_action_id(world):
    world.send(action(1))
    world.run()
    world.topics.ledger.clear()
    world.send(erase(1))
    world.run()

    assert world.crm.leads() == {}


@pytest.mark.parametrize("survives", [True, False])
def test_the_survivor_of_a_merge_is_deleted_and_an_unknown_lead_is_no_fault(world, survives):
    world.send(action(1))
    world.run()
    ours, other = world.lead_id(f"{1:032x}"), world.crm.add_by_hand("other@shop.example")
    world.crm.merge_by_hand(*((ours, other) if survives else (other, ours)))
    world.send(erase(1), erase(7))
    world.run()

    assert world.crm.leads() == {}
    assert world.quarantined == {}


def test_an_object_that_was_deleted_by_hand_counts_as_erased(world):
    world.send(action(1))
    world.run()
    world.crm.delete_by_hand(world.lead_id(f"{1:032x}"))
    world.send(erase(1))
    runner = world.run()

    assert (runner.delivered, runner.quarantined) == (1, 0)
    assert world.topics.ledger[-1].state == "erased"


@pytest.mark.parametrize("written", ["before the conversion", "after the conversion"])
def test_a_converted_lead_is_deleted_with_the_contact_that_it_became(converting, written):
    world = converting
    world.send(action(1))
    world.run()
    world.crm.convert_by_hand(world.lead_id(f"{1:032x}"))
    if written == "after the conversion":  # the ledger then names the contact only
        world.send(action(1, revision=2))
        world.run()
        assert world.topics.ledger[-1].object.lower() in {"contact", "contacts"}
    world.send(erase(1, revision=3))
    runner = world.run()

    assert (runner.delivered, runner.quarantined) == (1, 0)
    assert rows_of(world) == []
    assert world.crm.note_count() == 0
    assert world.topics.ledger[-1].object_id == ""


@pytest.mark.parametrize("kind", ["salesforce", "zoho"])
def test_a_second_try_finds_the_lead_after_the_answer_to_the_contacts_deletion_was_lost(kind):
    world = World(kind)
    world.send(action(1))
    world.run()
    world.crm.convert_by_hand(world.lead_id(f"{1:032x}"))
    world.crm.planned = [faults.LOST_AFTER, faults.LOST_BEFORE]
    world.send(erase(1))
    world.run()

    assert rows_of(world) == []


def test_a_converted_lead_that_names_no_contact_is_left_to_a_review():
    world = World("dynamics")
    world.send(action(1))
    world.run()
    lead = world.lead_id(f"{1:032x}")
    world.crm.delete_by_hand(world.crm.convert_by_hand(lead))
    world.send(erase(1))
    world.run()

    words = f"lead {lead} was converted and names no contact: erase it by hand"
    assert world.quarantined == {f"{1:032x}": (Reason.SINK_REVIEW, words)}
    assert rows_of(world) == [lead]


def test_a_refused_deletion_is_quarantined_in_the_words_of_the_crm(world):
    world.send(action(1))
    world.run()
    world.crm.keeps_records = True
    world.send(erase(1))
    world.run()

    reason, detail = world.quarantined[f"{1:032x}"]
    assert reason is Reason.SINK_REFUSED
    assert WORDS[world.connection.kind] in detail
    assert [row.state for row in world.topics.ledger] == ["open"]


def test_a_missing_right_to_delete_does_not_stop_the_leads(world):
    world.send(action(1))
    world.run()
    world.crm.planned = [faults.RIGHT_MISSING] * 2  # Zoho's status is that of an old token: the request is repeated
    world.send(erase(1))
    world.run()
    world.crm.planned = []
    world.send(action(2))
    world.run()

    assert world.quarantined[f"{1:032x}"][0] is Reason.SINK_REFUSED
    assert world.lead(f"{2:032x}")["email"] == "c2@shop.example"


def test_the_file_sink_empties_the_lines_of_an_erased_lead_and_keeps_its_positions(tmp_path):
    path = tmp_path / "actions.jsonl"
    sink = JsonlSink(path)
    batch = actions_of([action(1), action(2), action(1, revision=2)])
    sink.deliver(batch[:2])
    sink.deliver([*batch[2:], *actions_of([{}, {}, {}, erase(1, revision=3)])[3:]])
    sink.close()

    text = path.read_text()
    assert "c1@shop.example" not in text
    assert "c2@shop.example" in text
    kinds = [msgspec.json.decode(line)["action"]["kind"] for line in text.splitlines()]
    assert kinds == ["erased", "lead", "erased", "erase"]
    again = JsonlSink(path)
    assert again.positions() == {0: 4}
    again.deliver(actions_of([action(1)]))
    assert path.read_text() == text
    again.close()
    assert [one.name for one in tmp_path.iterdir()] == ["actions.jsonl"]
