"""Segments, scores and traits in the CRM: what every sink keeps up to date."""

import msgspec
import pytest

from connectors.crm.deviation import Kind
from connectors.crm.reconcile import deviations, repair
from pipeline.event.reason import Reason
from pipeline.obs import metrics as names
from tests.crm import emulator as faults
from tests.crm.emulators import KINDS
from tests.crm.sync_world import BLANK, FULL, SyncWorld, vip
from tests.crm.world import action, profile


@pytest.fixture(params=KINDS)
def world(request) -> SyncWorld:
    return SyncWorld(request.param)


def test_a_known_customer_gets_its_values_and_no_other_record_is_created(world):
    world.send(action(1))
    world.publish("p1", **vip())
    world.publish("p2", **vip())
    world.run()

    assert world.lead_values(1) == FULL
    assert len(world.crm.leads()) == 1


def test_only_differences_are_written(world):
    world.send(*(action(number) for number in range(30)))
    for number in range(30):
        world.publish(f"p{number}", **vip())
    world.run()
    calls = len(world.crm.calls)
    for number in range(30):
        world.publish(f"p{number}", **vip(score=41.9))
    world.publish("p3", segments=["buyers"], scores={"engagement": 12.2})
    world.run()

    assert world.lead_values(3) == {"vip": False, "listed": "buyers", "warmth": 12.0, "plan": ""}
    assert world.lead_values(4) == FULL
    assert world.writes(calls) == 1
    calls = len(world.crm.calls)
    world.run()
    assert world.writes(calls) == 0, "a restart compares with the ledger and writes nothing"


def test_a_lead_that_is_created_later_gets_the_values_at_once(world):
    world.publish("p1", **vip())
    world.run()
    assert world.crm.leads() == {}
    world.send(action(1))
    world.run()

    assert world.lead_values(1) == FULL


def test_values_of_a_customer_that_is_gone_are_emptied(world):
    world.send(action(1), action(2))
    world.publish("p1", **vip())
    world.publish("p2", **vip())
    world.run()
    world.publish("p1", status="empty")
    world.publish("p2", status=None)
    world.run()

    assert world.lead_values(1) == BLANK
    assert world.lead_values(2) == BLANK
    assert world.sync_rows() == {}


def test_the_survivor_of_a_merge_has_its_values_and_the_other_record_none(world):
    world.send(action(1), action(2))
    world.publish("p1", **vip())
    world.publish("p2", segments=["buyers"])
    world.run()
    world.publish("p1", status="merged", merged_into="p2")
    world.publish("p2", **vip())
    world.run()
    assert world.lead_values(1) == BLANK
    assert world.lead_values(2) == FULL

    world.publish("p1", **vip(score=5))
    world.publish("p2", segments=["buyers"])
    world.run()
    assert world.lead_values(1) == {**FULL, "warmth": 5.0}
    assert world.lead_values(2) == {**BLANK, "listed": "buyers"}


def test_the_survivor_without_a_record_of_its_own_takes_that_of_the_other(world):
    world.send(action(1))
    world.publish("p1", segments=["vip"])
    world.run()
    world.publish("p1", status="merged", merged_into="p9")
    world.publish("p9", **vip())
    world.run()

    assert world.lead_values(1) == FULL


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("kept", [1, 2])
@pytest.mark.parametrize("joined_into", [1, 2])
@pytest.mark.parametrize("written", [(1, 2), (1,), (2,), ()])
def test_records_that_the_crm_merges_follow_one_customer_before_and_after_the_join(
    world, kept, joined_into, written, linked
):
    if not world.crm.names_survivor:
        return
    lost, joined = 3 - kept, 3 - joined_into
    world.send(action(1, tenant="default"), action(2, tenant="default"))
    for number in written:
        world.publish(f"p{number}", **vip(score=number, tenant="default"))
    world.run()
    ids = [world.lead_id(f"{number:032x}") for number in (1, 2)]
    survivor = world.crm.merge_by_hand(ids[kept - 1], ids[lost - 1])
    for score in (10, 20, 30):
        for number in (1, 2):
            world.publish(f"p{number}", **vip(score=score + number, tenant="default"))
            world.run()
    following = {row.profile_id for row in world.sync_rows().values() if row.object_id == survivor}
    assert len(following) == 1
    assert world.values(survivor) == {**FULL, "warmth": 30.0 + int(following.pop()[1:])}

    links = {"identifiers": [f"crm_contact_id:{name}" for name in {*ids, survivor}]} if linked else {}
    world.publish(f"p{joined}", status="merged", merged_into=f"p{joined_into}", tenant="default")
    world.publish(f"p{joined_into}", **vip(score=50, tenant="default"), **links)
    world.run()
    calls = len(world.crm.calls)
    world.run()

    assert world.values(survivor) == {**FULL, "warmth": 50.0}
    assert {row.profile_id for row in world.sync_rows().values() if row.state == "sync"} == {f"p{joined_into}"}
    assert world.writes(calls) == 0
    world.publish(f"p{joined_into}", status=None)
    world.run()
    assert world.values(survivor) == BLANK
    assert world.sync_rows() == {}


def test_a_record_of_the_crm_that_the_way_back_has_linked_is_kept_up_to_date(world):
    theirs = world.crm.add_by_hand("ann@shop.example")
    link = {"identifiers": ["email:ann@shop.example", f"crm_contact_id:{theirs}"], "tenant": "default"}
    world.publish("p1", **vip(**link))
    world.run()

    assert world.values(theirs) == FULL
    world.publish("p1", **vip(12.2, **link))
    world.run()
    assert world.values(theirs) == {**FULL, "warmth": 12.0}


def test_one_record_follows_one_customer_until_that_one_is_gone(world):
    theirs = world.crm.add_by_hand("ann@shop.example")
    link = {"identifiers": [f"crm_contact_id:{theirs}"], "tenant": "default"}
    world.publish("p1", **vip(**link))
    world.run()
    world.publish("p2", segments=["buyers"], **link)
    world.publish("p2", segments=["buyers"], scores={"engagement": 3.0}, **link)
    world.run()
    assert world.values(theirs) == FULL
    world.publish("p1", tenant="default", status="empty")
    world.run()

    assert world.values(theirs) == {**BLANK, "listed": "buyers", "warmth": 3.0}


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize(
    ("consent", "given"), [({}, False), ({"marketing": True}, True), ({"marketing": False}, False)]
)
def test_values_need_the_consent_that_is_declared(required, consent, given):
    world = SyncWorld("hubspot", consent="marketing", consent_required=required)
    world.send(action(1))
    world.publish("p1", **vip(), consent={"marketing": True})
    world.run()
    assert world.lead_values(1) == FULL
    world.publish("p1", **vip(), consent=consent)
    world.run()

    assert world.lead_values(1) == (FULL if given or not (required or consent) else BLANK)


def test_a_converted_lead_is_followed_to_its_contact(world):
    if not world.crm.converts:
        return
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()
    contact = world.crm.convert_by_hand(world.lead_id(f"{1:032x}"))
    world.publish("p1", **vip(score=7))
    world.run()

    assert world.values(contact) == {**FULL, "warmth": 7.0}
    world.send(action(1, 2))
    world.run()
    world.publish("p1", segments=["buyers"])
    world.run()
    assert world.values(contact) == {**BLANK, "listed": "buyers"}


def test_a_deleted_record_is_not_created_again(world):
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()
    world.crm.delete_by_hand(world.lead_id(f"{1:032x}"))
    world.publish("p1", **vip(score=7))
    runner = world.run()

    assert world.crm.leads() == {}
    assert runner.quarantined == 0


def test_a_refused_record_stops_no_other_and_is_quarantined_once(world):
    world.send(*(action(number) for number in range(20)))
    for number in range(20):
        world.publish(f"p{number}", **vip())
    bad = world.named["plan"]
    world.run()
    world.crm.refuses = (bad, "platinum")
    for number in range(20):
        world.publish(f"p{number}", **vip(traits={"plan": "platinum" if number == 7 else "silver"}))
    runner = world.run()

    assert runner.quarantined == 1
    assert [world.lead_values(number)["plan"] for number in (6, 7, 8)] == ["silver", "gold", "silver"]
    (refusal,) = world.topics.quarantine
    assert refusal.reason is Reason.SINK_REFUSED
    assert bad in refusal.detail
    assert b"platinum" not in (refusal.record.value() or b"")
    assert world.run().quarantined == 0, "the same values are not sent again"
    world.crm.refuses = ("", "")
    world.publish("p7", **vip(traits={"plan": "bronze"}))
    world.run()
    assert world.lead_values(7)["plan"] == "bronze"


@pytest.mark.parametrize("fault", [one for one in faults.PASSING if one != faults.RIGHT_MISSING])
def test_a_passing_fault_is_passed(world, fault):
    world.send(action(1), action(2))
    world.run()
    world.crm.planned = [fault]
    world.publish("p1", **vip())
    world.publish("p2", **vip())
    world.run()

    assert [world.lead_values(number) for number in (1, 2)] == [FULL, FULL]
    assert world.topics.quarantine == []


def test_changes_in_quick_succession_are_one_write():
    world = SyncWorld("hubspot", every_seconds=60)
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()
    calls, before = len(world.crm.calls), world.clock()
    runner = world.open(settle_ms=0)
    runner._start()
    for score in range(10):
        world.publish("p1", **vip(score=float(score)))
        for _ in range(3):
            runner.step(world.stop())
    assert world.writes(calls) == 0
    while world.clock() < before + 61_000:
        runner.step(world.stop())

    assert world.writes(calls) == 1
    assert world.lead_values(1)["warmth"] == 9.0


def test_the_outcomes_are_counted():
    world = SyncWorld("hubspot")
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()

    assert world.metrics.value(names.CRM_SYNCED, "crm", "written") == 1
    assert world.metrics.value(names.CRM_SYNC_OPEN, "crm") == 0


def test_reconciliation_names_fields_that_others_have_changed(world):
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()
    world.crm.raw(world.lead_id(f"{1:032x}"))[world.named["plan"]] = "tin"
    ledger = world.ledger()

    (found,) = deviations(ledger, world.sink(ledger).compare)
    assert (found.kind, found.detail, found.row.state) == (Kind.CHANGED, world.named["plan"], "sync")
    assert repair([found], world.sink(ledger), find=lambda _: [], save=lambda _: None).left == 0


def test_a_resync_writes_only_what_differs_in_the_crm(world):
    world.send(action(1), action(2))
    for name in ("p1", "p2"):
        world.publish(name, **vip())
    world.run()
    changed = world.crm.raw(world.lead_id(f"{1:032x}"))
    changed[world.named["plan"]] = "tin"
    calls = len(world.crm.calls)

    assert world.resync(dry_run=True).differing == 0, "by the ledger nothing differs"
    planned = world.resync(dry_run=True, compare=True)
    assert (planned.profiles, planned.records, planned.differing) == (2, 2, 1)
    assert dict(planned.fields) == {world.named["plan"]: 1}
    assert world.writes(calls) == 0

    done = world.resync(compare=True)
    assert (done.differing, done.written, done.refused, done.left) == (1, 1, 0, 0)
    assert world.writes(calls) == 1
    assert world.lead_values(1) == FULL
    assert world.resync(compare=True).differing == 0


def test_a_resync_of_a_segment_leaves_the_other_fields_alone(world):
    world.send(action(1))
    world.publish("p1", **vip())
    world.run()
    changed = world.crm.raw(world.lead_id(f"{1:032x}"))
    changed[world.named["listed"]] = changed[world.named["plan"]] = "tin"
    done = world.resync(segment="buyers", compare=True)

    assert dict(done.fields) == {world.named["listed"]: 1}
    assert world.lead_values(1) == {**FULL, "plan": "tin"}


def test_a_resync_sends_refused_values_again(world):
    world.send(action(1))
    world.publish("p1", **vip())
    world.crm.refuses = (world.named["plan"], "gold")
    assert world.run().quarantined == 1
    assert world.resync().refused == 1
    world.crm.refuses = ("", "")

    assert world.resync().written == 1
    assert world.lead_values(1) == FULL


def test_a_profile_that_cannot_be_read_keeps_its_former_state_and_stops_no_other():
    world = SyncWorld("hubspot")
    world.send(action(1), action(2))
    world.publish("p1", **vip())
    world.topics.publish("p1", msgspec.json.encode({**profile("p1", 9, **vip()), "traits": "{"}))
    world.topics.publish("p9", b"no record")
    world.publish("p2", **vip())
    world.run()

    assert world.metrics.value(names.CRM_SYNCED, "crm", "unreadable") == 2
    assert world.topics.quarantine == []
    assert [world.lead_values(number) for number in (1, 2)] == [FULL, FULL]
