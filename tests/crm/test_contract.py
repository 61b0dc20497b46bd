"""What every CRM sink survives: the cases E1 to E14, each against an emulator that keeps state."""

import html
import math
import re

import pytest

from connectors.crm.sink import SinkError
from pipeline.event.reason import Reason
from pipeline.obs import metrics as names
from tests.crm import emulator as faults
from tests.crm.world import World, action
from tests.support.crm_log import Stop


def name(number: int) -> str:
    return f"{number:032x}"


def test_e1_one_poison_record_costs_itself_and_few_requests(world):
    world.send(*(action(n, **({"contact": {"email": "x@y.invalid"}} if n == 37 else {})) for n in range(100)))
    runner = world.run()

    assert (runner.delivered, runner.quarantined) == (99, 1)
    reason, words = world.quarantined[name(37)]
    assert reason is Reason.SINK_REFUSED
    assert "x@y.invalid is invalid" in words
    upserts = [call for call in world.crm.calls if world.crm.upserts.fullmatch(call)]
    assert len(upserts) <= 2 * math.log2(100) + 1


@pytest.mark.parametrize("fault", [faults.EMPTY, faults.SHORT])
def test_e2_success_without_results_is_no_delivery_and_is_retried(world, fault):
    world.crm.planned = [fault]
    world.send(*(action(n) for n in range(10)))
    runner = world.run()

    assert runner.delivered == 10
    assert len(world.crm.leads()) == 10
    assert world.metrics.value(names.CRM_OUTCOMES, "crm", "retried") >= 5


@pytest.mark.parametrize("fault", [faults.LOST_BEFORE, faults.LOST_AFTER, faults.RACE])
@pytest.mark.parametrize("place", range(3))
def test_e3_a_lost_answer_or_a_race_leaves_exactly_one_object(world, fault, place):
    world.crm.planned = [*[""] * place, fault]
    world.send(action(1), action(2))
    runner = world.run()

    assert runner.delivered == 2
    assert len(world.crm.leads()) == 2
    assert len(world.crm.stories(world.lead_id(name(1)))) == 1


def test_e3_a_race_on_the_only_object_of_a_batch_is_tried_again(world):
    world.send(action(1))
    world.run()
    world.crm.planned = [faults.RACE]
    world.send(action(1, 2))
    world.run()

    assert world.quarantined == {}
    assert world.lead(name(1))["revision"] == "2"


def test_e5_a_merged_contact_is_followed_to_the_survivor(world):
    world.send(action(1), action(2))
    world.run()
    third = world.crm.merge_by_hand(world.lead_id(name(2)), world.lead_id(name(1)))
    world.send(action(1, 2))
    world.run()

    assert list(world.crm.leads()) == [third]
    if not world.crm.names_survivor:
        assert world.quarantined[name(1)][0] is Reason.SINK_REVIEW
        return
    assert world.topics.newest()[name(1)].object_id == third
    world.send(action(1, 3))
    calls = len(world.crm.calls)
    world.run()
    assert not [call for call in world.crm.calls[calls:] if world.crm.follows.fullmatch(call)]
    assert list(world.crm.leads()) == [third]


def test_e4_a_contact_that_search_no_longer_finds_is_known_by_the_ledger(world):
    world.send(action(1))
    world.run()
    contact = world.lead_id(name(1))
    world.crm.edit_by_hand(contact, action="")
    world.send(action(1, 2, contact={"email": "c1@shop.example", "firstName": "Ann"}))
    world.run()

    assert list(world.crm.leads()) == [contact]
    assert world.crm.leads()[contact]["first"] == "Ann"


def test_e4_a_converted_lead_is_followed_to_its_contact(converting):
    converting.send(action(1))
    converting.run()
    contact = converting.crm.convert_by_hand(converting.lead_id(name(1)))
    converting.send(action(1, 2, contact={"email": "c1@shop.example", "firstName": "Ann"}))
    converting.run()

    assert list(converting.crm.leads()) == [contact]
    lead = converting.crm.leads()[contact]
    assert (lead["first"], lead["revision"], lead["score"]) == ("Ann", "2", "73.5")
    assert len(converting.crm.stories(contact)) == 1
    row = converting.topics.newest()[name(1)]
    assert (row.object.lower().rstrip("s"), row.object_id) == ("contact", contact)
    converting.send(action(1, 3), action(2, profile_id="p1", trigger="win_back", contact={"email": "c1@shop.example"}))
    converting.run()
    assert list(converting.crm.leads()) == [contact]
    assert len(converting.crm.stories(contact)) == 2


def test_e4_a_lead_that_is_converted_between_reading_and_writing_is_written_as_a_contact(converting):
    converting.send(action(1))
    converting.run()
    crm, lead, contact = converting.crm, converting.lead_id(name(1)), ""

    def convert(moment: str) -> None:
        nonlocal contact
        if moment == "send" and crm.updates.fullmatch(crm.calls[-1]) and not contact:
            contact = crm.convert_by_hand(lead)

    converting.send(action(1, 2))
    crm.at_request = convert
    converting.run()

    assert list(crm.leads()) == [contact]
    assert crm.leads()[contact]["revision"] == "2"


@pytest.mark.parametrize(
    ("fault", "times"),
    [(faults.SLOW_DOWN, 30), (faults.DAY_LIMIT, 5), (faults.UNAVAILABLE, 30), (faults.KEY_EXPIRED, 30),
     (faults.SERVER_ERROR, 30)],
)  # fmt: skip
def test_e9_limits_and_outages_pause_the_sink_and_cost_no_lead(world, fault, times):
    world.crm.planned = [fault] * times
    start = world.clock.now_ms
    world.send(action(1), action(1, 2), action(2), action(2, 2))
    runner = world.run(max_tries=31)

    assert (runner.delivered, runner.quarantined) == (2, 0)
    assert [world.lead(name(n))["revision"] for n in (1, 2)] == ["2", "2"]
    assert world.clock.now_ms - start > 10_000


def test_e9_a_rotated_secret_is_read_again_by_the_running_sink(world):
    crm = world.crm

    def rotate(moment: str) -> None:
        if moment == "send" and crm.upserts.fullmatch(crm.calls[-1]) and crm.secrets == world.secrets:
            crm.rotate()
            world.secrets = dict(crm.secrets)
            crm.at_request = lambda _moment: None

    crm.at_request = rotate
    world.send(action(1))
    runner = world.run()

    assert runner.delivered == 1
    assert world.metrics.value(names.CRM_CALLS, "crm", "401") == 1


def test_e9_a_secret_that_stays_refused_pauses_the_sink_with_the_reason(world):
    world.crm.rotate()
    world.send(action(1))
    runner = world.open()
    runner.run(Stop(world.clock, 3))

    assert re.search(
        r"key_refused, (HTTP 401: invalid key|the login is not accepted: HTTP 40[01])", *runner.not_ready()
    )
    assert world.topics.quarantine == []


def test_a_missing_right_stops_the_sink_and_nothing_is_quarantined(world):
    world.crm.planned = [faults.RIGHT_MISSING] * 2  # Zoho's 401 is answered with a new login first
    world.send(action(1))

    with pytest.raises(SinkError, match=rf"{world.crm.name} denies a right \(HTTP 40[13]: "):
        world.run()
    assert world.topics.quarantine == []
    assert world.topics.positions == {}


def test_e10_empty_values_are_never_sent_and_a_human_s_values_are_kept(world):
    world.send(action(1, contact={"email": "c1@shop.example", "phone": "", "firstName": "Ann"}))
    world.run()
    contact = world.lead_id(name(1))
    assert "phone" not in world.crm.leads()[contact]
    world.crm.edit_by_hand(contact, phone="+491", first="Anna")
    world.send(action(1, 2, contact={"email": "c1@shop.example", "phone": "+492", "firstName": "Ann"}))
    world.run()

    lead = world.crm.leads()[contact]
    assert (lead["phone"], lead["first"], lead["revision"]) == ("+491", "Anna", "2")


def test_e13_of_two_revisions_in_a_batch_only_the_highest_is_sent(world):
    world.send(action(1), action(1, 3), action(1, 2))
    runner = world.run()

    assert (runner.delivered, runner.skipped) == (1, 2)
    assert world.lead(name(1))["revision"] == "3"


def test_e13_two_leads_of_one_contact_are_written_one_after_the_other(adopting):
    world = adopting
    same = {"email": "family@shop.example"}
    world.send(action(1, contact=same), action(2, contact=same))
    runner = world.run()

    assert runner.delivered == 2
    (contact,) = world.crm.leads()
    assert len(world.crm.stories(contact)) == 2
    world.send(action(1, 2, contact=same), action(2, 2, contact=same))
    runner = world.run()
    assert (runner.delivered, len(world.crm.leads())) == (2, 1)


def test_e14_keys_in_urls_and_batches_are_hexadecimal_or_numbers(world):
    world.send(action(1, contact={"email": "o'x/%&@y.inc"}))
    world.run()

    assert world.lead(name(1))["email"] == "o'x/%&@y.inc"
    assert not [call for call in world.crm.calls if "y.inc" in call]


def test_a_contact_with_the_same_address_is_adopted_and_its_values_kept(adopting):
    world = adopting
    human = world.crm.owners_by_name["human"]
    contact = world.crm.add_by_hand("C1@shop.example", first="Annie", owner=human)
    world.send(action(1, contact={"email": "c1@shop.example", "firstName": "Ann"}))
    world.run()

    assert list(world.crm.leads()) == [contact]
    lead = world.lead(name(1))
    assert (lead["first"], lead["owner"], lead["revision"]) == ("Annie", human, "1")


def test_a_contact_with_the_same_address_is_left_to_a_review_if_the_rules_say_so(kind):
    world = World(kind, existing="review")
    world.crm.add_by_hand("c1@shop.example")
    world.send(action(1), action(2))
    runner = world.run()

    assert world.quarantined[name(1)][0] is Reason.SINK_REVIEW
    assert re.search("already exists|Use one of these|duplicate", world.quarantined[name(1)][1])
    assert runner.delivered == 1


@pytest.mark.parametrize("deleted", ["review", "recreate"])
def test_a_contact_that_was_deleted_is_left_to_a_review_or_created_again(kind, deleted):
    world = World(kind, deleted=deleted)
    world.send(action(1))
    world.run()
    world.crm.delete_by_hand(world.lead_id(name(1)))
    world.send(action(1, 2))
    world.run()

    if deleted == "review":
        assert world.quarantined[name(1)][0] is Reason.SINK_REVIEW
        assert world.crm.leads() == {}
    else:
        assert world.lead(name(1))["revision"] == "2"
        assert len(world.crm.stories(world.lead_id(name(1)))) == 1


def test_a_duplicate_is_marked_with_the_contact_that_stays_and_may_be_reopened(world):
    world.send(action(1), action(2))
    world.run()
    world.send(action(2, 2, kind="duplicate_of", duplicate_of=name(1)))
    world.run()
    assert world.lead(name(2))["reason"] == f"duplicate of {world.crm.home} {world.lead_id(name(1))}"
    assert world.topics.newest()[name(2)].state == "duplicate"

    world.send(action(2, 3))
    world.run()
    assert world.lead(name(2))["reason"].startswith("score")
    assert world.topics.newest()[name(2)].state == "open"


def test_a_duplicate_of_a_lead_that_never_arrived_needs_no_contact(world):
    world.send(action(2, 2, kind="duplicate_of", duplicate_of=name(1)))
    world.run()

    assert world.crm.leads() == {}
    assert world.runner.delivered == 1


def test_two_leads_of_one_customer_share_the_contact_and_keep_their_notes(world):
    world.send(action(1), action(2, profile_id="p1", contact={"email": "c1@shop.example"}, trigger="win_back"))
    world.run()

    (contact,) = world.crm.leads()
    assert len(world.crm.stories(contact)) == 2


def test_the_story_names_the_reasons_the_events_and_the_channels_without_consent(world):
    world.send(action(1))
    world.run()

    (story,) = world.crm.stories(world.lead_id(name(1)))
    assert "viewed <b>Pricing</b>" in html.unescape(story)
    assert "No consent for: email" in story
    assert "pricing_page +30" in story


def test_only_the_declared_tenants_and_triggers_are_delivered(kind):
    world = World(kind, tenants=("t",), triggers=("hot_lead",))
    world.send(action(1), action(2, tenant="other"), action(3, trigger="other"))
    world.run()

    assert [lead["action"] for lead in world.crm.leads().values()] == [name(1)]


def test_an_older_revision_never_overwrites_what_the_crm_holds(world):
    world.send(action(1, 3))
    world.run()
    world.topics.ledger.clear()
    world.topics.positions.clear()
    world.topics.actions[0].clear()
    world.send(action(1, 2))
    world.run()

    assert world.lead(name(1))["revision"] == "3"
