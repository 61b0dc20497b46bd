"""Erasures: what a CRM and a file hold of a lead is gone, whatever is lost on the way."""

import msgspec
import pytest

from connectors.crm.erasing import ErasingSink
from connectors.crm.jsonl import JsonlSink
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.sink import Delivered, NeedsReview
from tests.crm import emulator as faults
from tests.crm.hubspot_emulator import HubSpot
from tests.crm.world import World, action, actions_of


@pytest.fixture
def world() -> World:
    return World()


def erase(number: int, revision: int = 2):
    """An erasure as PROFILE and ROUTE make it: everything but the lead's id is empty."""
    empty = {"action_id": f"{number:032x}", "tenant": "t", "profile_id": f"p{number}", "kind": "erase"}
    return {**empty, "trigger": "hot_lead", "episode": 1, "revision": revision, "contact": {}, "timeline": []}


def everything(world: World) -> str:
    assert isinstance(world.crm, HubSpot)
    return repr(world.crm.objects) + repr(world.topics.ledger[-2:])


def test_an_erasure_deletes_contact_and_note_and_empties_the_ledger_row(world):
    world.send(action(1), action(2))
    world.run()
    assert "c1@shop.example" in everything(world)
    world.send(erase(1))
    runner = world.run()

    assert (runner.delivered, runner.quarantined) == (1, 0)
    assert "c1@shop.example" not in everything(world)
    assert [(row.state, row.object_id, row.fields) for row in world.topics.ledger[-1:]] == [("erased", "", {})]
    assert [one["email"] for one in world.crm.leads().values()] == ["c2@shop.example"]
    assert len(world.crm.objects["notes"]) == 1


def test_an_older_action_that_comes_later_does_not_bring_the_lead_back(world):
    world.send(action(1), erase(1, revision=3))
    world.run()
    world.send(action(1, revision=2), partition=1)
    world.run()

    assert world.crm.leads() == {}


def test_a_later_lead_under_the_same_id_is_a_new_contact(world):
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


def test_a_contact_whose_ledger_row_was_never_written_is_found_by_its_action_id(world):
    world.send(action(1))
    world.run()
    world.topics.ledger.clear()
    world.send(erase(1))
    world.run()

    assert world.crm.leads() == {}


def test_the_survivor_of_a_merge_is_deleted_and_an_unknown_lead_is_no_fault(world):
    world.send(action(1))
    world.run()
    world.crm.merge_by_hand(world.lead_id(f"{1:032x}"), world.crm.add_by_hand("other@shop.example"))
    world.send(erase(1), erase(7))
    world.run()

    assert world.crm.leads() == {}
    assert world.quarantined == {}


def test_a_crm_that_cannot_erase_asks_for_a_review(world):
    ledger = Ledger()
    ledger.apply([LedgerRow(sink="crm", tenant="t", action_id=f"{1:032x}", object="contact", object_id="101")])
    sink = ErasingSink(world.connection, world.sink(ledger), ledger, world.clock, None)
    outcomes = sink.deliver(actions_of([erase(1), erase(2)]))

    assert outcomes == [NeedsReview("erase contact 101 by hand: this sink cannot"), Delivered()]


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
