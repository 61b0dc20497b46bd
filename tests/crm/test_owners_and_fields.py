"""What every CRM sink survives: owners (E11) and fields that vanish (E12), against emulators that keep state."""

import msgspec
import pytest
from structlog.testing import capture_logs

from pipeline.rules.crm import CrmField
from tests.crm.world import action


def name(number: int) -> str:
    return f"{number:032x}"


@pytest.mark.parametrize(
    ("rep", "owner", "reason"),
    [
        ("ann", "ann", "round robin of north"),
        ("gone", "fallback", "gone is not active in {}; round robin of north"),
        ("new_rep", "fallback", "new_rep has no owner id in crm.yaml; round robin of north"),
    ],
)
def test_e11_an_owner_that_the_crm_does_not_have_falls_back_with_the_reason(world, rep, owner, reason):
    world.send(action(1, owner=rep))
    world.run()

    assert world.lead(name(1))["owner"] == world.crm.owners_by_name[owner]
    assert f"Owner: {reason.format(world.crm.name)}" in world.crm.stories(world.lead_id(name(1)))[0]


def test_e11_a_human_s_owner_is_kept_and_ours_may_change_until_then(world):
    world.send(action(1))
    world.run()
    world.send(action(1, 2, owner="gone"))
    world.run()
    assert world.lead(name(1))["owner"] == world.crm.owners_by_name["fallback"]
    world.crm.edit_by_hand(world.lead_id(name(1)), owner=world.crm.owners_by_name["human"])
    world.send(action(1, 3))
    world.run()

    assert world.lead(name(1))["owner"] == world.crm.owners_by_name["human"]


def test_e11_an_owner_that_the_crm_does_not_keep_is_reported(world):
    world.crm.reverts_owner = True
    world.send(action(1))
    with capture_logs() as lines:
        world.run()

    assert world.runner.delivered == 1
    assert "owner_not_kept" in str(lines)


def test_e12_a_property_that_vanishes_is_left_out_and_the_record_delivered(world):
    world.send(action(1))
    world.crm.remove_field("grade")
    with capture_logs() as lines:
        world.run()
    assert world.lead(name(1))["score"] == "72.5"
    assert "stitchline_grade" in str(lines).lower()


def test_e12_a_property_that_vanishes_while_the_sink_runs_is_noticed(world):
    world.send(action(1))
    crm = world.crm

    def vanish(moment: str) -> None:
        if moment == "send" and crm.upserts.fullmatch(crm.calls[-1]):
            crm.remove_field("grade")

    crm.at_request = vanish
    runner = world.run()

    assert runner.delivered == 1
    assert world.lead(name(1))["revision"] == "1"


def test_e12_hundreds_of_fields_are_read_and_written_without_long_urls(world):
    crm, mapped = world.crm, world.connection.fields
    names = [f"extra_{number}__c" for number in range(300)]
    crm.add_fields(names)
    extra = tuple(CrmField(to=one, value="contact.email") for one in names)
    world.connection = msgspec.structs.replace(world.connection, fields=(*mapped, *extra))
    world.send(*(action(number) for number in range(100)))
    world.run()
    world.send(*(action(number, 2) for number in range(100)))
    runner = world.run()

    assert runner.delivered == 100
    assert world.crm.longest_url < 16_000
