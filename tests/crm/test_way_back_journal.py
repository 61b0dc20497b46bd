"""HubSpot's webhooks journal: how reading begins, what ends a life, and files and answers that fail."""

import msgspec
import pytest

from connectors.crm.sink import SinkError
from tests.crm import emulator as faults
from tests.crm.hubspot_journal import APP_SECRET, PORTAL
from tests.crm.journal_world import JournalWorld
from tests.crm.pull_world import names
from tests.support.crm_log import Stop


@pytest.fixture
def world():
    """A world whose journal is read, and whose backfill is over."""
    world = JournalWorld()
    world.ann = world.hub.add_by_hand("c1@shop.example", first="Anna")
    world.pull()
    world.pass_time(3600)
    world.pull()
    world.hub.calls.clear()
    return world


def searches(world):
    return [call for call in world.hub.calls if call.endswith("/search") or "archived" in call]


def step(world):
    """One look of a new puller. Returns it, and whether HubSpot answered everything."""
    puller = world.open()
    puller.start()
    return puller, puller.step(Stop(world.clock))


def test_what_is_newer_comes_by_the_journal_without_a_search(world):
    world.hub.edit_by_hand(world.ann, phone="+493090182")
    assert [event.traits for event in world.pull()] == [{"phone": "+493090182"}]
    assert searches(world) == []
    assert world.pull() == []


def test_an_idle_poll_costs_one_request_after_the_first_one():
    world = JournalWorld()
    world.pull()
    world.pass_time(3600)
    puller, _ = step(world)
    world.hub.calls.clear()
    world.pass_time(60)
    assert puller.step(Stop(world.clock))
    assert [call.rpartition("/")[2] for call in world.hub.calls] == ["earliest"]


def test_the_journal_begins_before_the_backfill_so_that_nothing_falls_between():
    world = JournalWorld()
    world.hub.add_by_hand("c0@shop.example", first="Zero")
    world.pass_time(60)
    puller = world.open()
    puller.start()
    answer = world.hub.answer

    def changes_meanwhile(request, fault):
        if request.url.path.endswith("/contacts/search"):
            world.hub.answer = answer
            world.hub.add_by_hand("c1@shop.example", first="Between")
        return answer(request, fault)

    world.hub.answer = changes_meanwhile
    puller.step(Stop(world.clock))
    world.pass_time(60)
    puller.step(Stop(world.clock))
    assert sorted(event.traits["firstName"] for event in world.topics.take()) == ["Between", "Zero"]


def test_a_change_that_was_too_young_for_the_search_when_the_journal_began_is_read():
    world = JournalWorld()
    world.hub.add_by_hand("c1@shop.example", first="Anna")
    world.pass_time(10)
    puller, _ = step(world)
    assert world.topics.take() == []
    world.pass_time(60)
    puller.step(Stop(world.clock))
    assert [event.traits for event in world.topics.take()] == [{"firstName": "Anna"}]


@pytest.mark.parametrize("purges", [False, True])
def test_a_deletion_and_a_privacy_deletion_are_one_event(world, purges):
    world.hub.purge(world.ann) if purges else world.hub.remove("contacts", world.ann)
    (event,) = world.pull()
    assert (event.name, event.identifiers) == ("Contact Deleted", [f"crm_contact_id:{world.ann}"])
    assert event.timestamp_ms == world.clock() - 60_000
    assert world.pull() == []


def test_a_restored_contact_is_there_again(world):
    world.hub.remove("contacts", world.ann)
    world.pull()
    world.hub.restore("contacts", world.ann, firstname="Anna")
    assert [event.traits for event in world.pull()] == [{"firstName": "Anna"}]


def test_a_merge_that_the_survivor_does_not_name_yet_is_still_a_merge(world):
    ben = world.hub.add_by_hand("c2@shop.example")
    world.pull()
    third = world.hub.merge_by_hand(world.ann, ben)
    world.hub.objects["contacts"][third].pop("hs_merged_object_ids")
    assert names(world.pull()).count("Contact Merged") == 2
    assert {(one.a, one.b) for one in world.topics.commands} == {
        (f"crm_contact_id:{old}", f"crm_contact_id:{third}") for old in (world.ann, ben)
    }


def test_an_association_alone_brings_a_deal(world):
    deal = world.hub.put("deals", dealname="Rollout", dealstage="new")
    assert world.pull() == []
    world.hub.link("deals", deal, "contacts", world.ann)
    (event,) = world.pull()
    assert (event.name, event.identifiers[0]) == ("Deal Created", f"crm_contact_id:{world.ann}")


def test_a_property_that_is_not_read_causes_no_request(world):
    world.hub.put("contacts", world.ann, favouritecolour="red")
    assert world.pull() == []
    assert not any("/objects/" in call for call in world.hub.calls)


def test_a_write_whose_ledger_row_is_still_to_come_waits(world):
    world.hub.edit_by_hand(world.ann, phone="+493090182")
    puller, answered = step(world)
    assert answered
    assert world.topics.take() == []
    world.sink_wrote(world.ann, phone="+493090182")
    world.pass_time(31)
    puller.step(Stop(world.clock))
    assert world.topics.take() == []
    assert puller.counts.echoes == 1


def test_an_object_that_changes_all_the_time_is_read_in_the_end(world):
    world.hub.edit_by_hand(world.ann, phone="+491")
    puller, _ = step(world)
    for number in range(25):
        world.pass_time(29)
        world.hub.edit_by_hand(world.ann, phone=f"+49{number}")
        puller.step(Stop(world.clock))
    assert len(world.topics.take()) == 1


def test_an_entry_that_comes_twice_or_out_of_order_changes_nothing(world):
    for phone in ("+491", "+492"):
        world.hub.edit_by_hand(world.ann, phone=phone)
        world.hub.publish()
    assert [event.traits for event in world.pull()] == [{"phone": "+492"}]
    old = world.hub.entries[-2:]
    world.hub.entries += [one._replace(offset=f"again-{place}") for place, one in enumerate(reversed(old))]
    assert world.pull() == []


def test_a_file_is_read_in_parts_and_a_part_is_read_once(world):
    world.hub.file_size = 5_000
    for number in range(1_203):
        world.hub.put("contacts", email=f"n{number}@shop.example", firstname="A")
    assert len({event.identifiers[0] for event in world.pull()}) == 1_203
    assert world.hub.downloads == 1
    assert world.pull() == []


def test_a_url_that_has_expired_is_requested_again(world):
    world.hub.edit_by_hand(world.ann, phone="+491")
    world.hub.url_ms = 0

    def renews(moment):
        if moment == "sent" and world.hub.downloads == 1:
            world.hub.url_ms = 60_000

    world.hub.at_request = renews
    world.pass_time(60)
    assert step(world)[1], "a pause was not needed"
    assert [event.traits for event in world.topics.take()] == [{"phone": "+491"}]
    assert world.hub.downloads == 2


def test_a_url_that_is_always_refused_pauses_and_loses_nothing(world):
    world.hub.edit_by_hand(world.ann, phone="+491")
    world.hub.url_ms = 0
    world.pass_time(60)
    puller, answered = step(world)
    assert not answered
    assert "a file of HubSpot's journal: HTTP 403" in puller.not_ready()[-1]
    assert "Signature" not in puller.not_ready()[-1]
    world.hub.url_ms = 60_000
    assert [event.traits for event in world.pull()] == [{"phone": "+491"}]


def test_a_batch_that_is_answered_in_part_is_no_deletion(world):
    world.hub.edit_by_hand(world.ann, phone="+491")
    world.hub.left_out.add(world.ann)
    world.pass_time(60)
    puller, answered = step(world)
    assert not answered
    assert "leaves it out of a batch" in puller.not_ready()[-1]
    world.hub.left_out.clear()
    assert [event.traits for event in world.pull()] == [{"phone": "+491"}]


def test_events_of_other_accounts_and_types_are_no_concern(world):
    ben = world.hub.add_by_hand("c2@shop.example")
    world.hub.pending.clear()
    world.hub.edit_by_hand(world.ann, phone="+491")
    (event,) = world.hub.pending
    world.hub.pending += [
        {**event, "portalId": PORTAL + 1, "objectId": int(ben)},
        {**event, "objectTypeId": "0-5", "objectId": 2},
        {"type": "event", "portalId": PORTAL, "eventTypeId": "4-1909196"},
        {"type": "app", "portalId": PORTAL, "action": "APP_INSTALL"},
    ]
    assert [event.traits for event in world.pull()] == [{"phone": "+491"}]
    assert world.puller.counts.gaps == 0


def test_a_type_that_is_subscribed_to_but_not_read_comes_back_no_more():
    world = JournalWorld()
    world.pull()
    back = msgspec.structs.replace(world.connection.back, objects=("contacts",))
    world.connection = msgspec.structs.replace(world.connection, back=back)
    deal = world.hub.put("deals", dealname="Rollout", dealstage="new")
    world.hub.link("deals", deal, "contacts", world.hub.add_by_hand("c1@shop.example"))
    assert names(world.pull()) == ["identify"]


def test_a_change_of_the_way_to_find_changes_repeats_nothing():
    world = JournalWorld()
    journal = world.connection
    search = msgspec.structs.replace(journal, back=msgspec.structs.replace(journal.back, journal=None))
    ann = world.hub.add_by_hand("c1@shop.example", first="Anna")
    call = world.hub.put("calls", hs_call_title="Price", hs_timestamp=str(world.clock()))
    world.hub.link("calls", call, "contacts", ann)
    for turn in range(6):
        world.connection = search if turn % 2 else journal
        world.hub.edit_by_hand(ann, phone=f"+4930{turn}")
        assert names(world.pull()).count("identify") == 1
        assert world.pull() == []
        world.pass_time(3600)
    assert world.puller.counts.gaps == 0


def test_another_use_of_the_app_is_no_gap(world):
    world.hub.subscriptions.append({
        "id": 1, "appId": 99, "subscriptionType": "OBJECT", "objectTypeId": "0-5", "portalId": PORTAL,
        "actions": ["CREATE"], "createdAt": "2100-01-01T00:00:00Z", "updatedAt": "2100-01-01T00:00:00Z",
    })  # fmt: skip
    world.hub.edit_by_hand(world.ann, phone="+491")
    assert names(world.pull()) == ["identify"]
    assert world.puller.counts.gaps == 0


def test_an_expired_token_is_renewed_and_a_refused_secret_pauses(world):
    world.hub.tokens.clear()
    world.hub.edit_by_hand(world.ann, phone="+491")
    assert [event.traits for event in world.pull()] == [{"phone": "+491"}]
    world.hub.secrets[APP_SECRET] = "rotated"
    refused = world.hub.tokens.copy()
    world.hub.tokens.clear()
    read = world.hub.secrets
    world.hub.secrets = {**read, APP_SECRET: "older"}
    token, world.hub._token = world.hub._token, lambda _request: world.hub.refusal(faults.KEY_EXPIRED)
    puller, answered = step(world)
    assert not answered
    assert "the login is not accepted" in puller.not_ready()[-1]
    world.hub._token = token
    world.hub.edit_by_hand(world.ann, phone="+492")
    assert [event.traits for event in world.pull()] == [{"phone": "+492"}]
    assert refused != world.hub.tokens


def test_only_the_scopes_of_what_is_read_are_requested():
    world = JournalWorld(objects=("contacts", "activities"))
    world.hub.tokens.clear()
    world.hub.granted -= {"crm.objects.companies.read", "crm.objects.deals.read"}
    world.hub.add_by_hand("c1@shop.example", first="Anna")
    assert names(world.pull()) == ["identify"]


def test_a_missing_subscription_ends_the_pull_with_what_to_do(world):
    world.hub.subscriptions = [one for one in world.hub.subscriptions if one["objectTypeId"] != "0-3"]
    with pytest.raises(SinkError, match=r"no subscription OBJECT of deals .*; run: stitchline crm setup hub"):
        step(world)
