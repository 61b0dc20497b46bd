"""Changes in a CRM come back as events: once, in full, and without the sink's own writes."""

from decimal import Decimal

import pytest

from connectors.crm.sink import SinkError
from pipeline.rules.crm_back import CrmTrait
from tests.crm import emulator as faults
from tests.crm.journal_world import WORLDS
from tests.crm.pull_world import names
from tests.support.crm_log import Stop


@pytest.fixture(params=WORLDS.values(), ids=WORLDS)
def world_of(request):
    """A world, by what comes back: each way to find HubSpot's changes has the same contract."""
    return request.param


@pytest.fixture
def world(world_of):
    return world_of()


def revenue(events):
    return sum((Decimal(event.amount_minor or 0) for event in events if event.name.startswith("Deal")), Decimal(0))


def test_a_contact_becomes_traits_under_its_id_and_its_address(world):
    ann = world.hub.add_by_hand("c1@shop.example", phone="+493090182", owner="10")
    (event,) = world.pull()
    assert (event.type, event.source, event.tenant, event.channel) == ("identify", "hub", "default", "crm")
    assert event.traits == {"phone": "+493090182", "owner": "ann"}
    assert event.identifiers == [f"crm_contact_id:{ann}", "email:c1@shop.example", "phone:+493090182"]
    assert world.topics.keys == [f"default/crm_contact_id:{ann}"]
    assert world.pull() == []


def test_the_counter_of_expired_cursors_starts_at_zero_for_every_stream(world):
    world.open().start()
    page = world.metrics.expose()[0].decode()
    searched = ("contacts", "archived-contacts", "companies", "deals")
    is_journal = world.connection.back.journal is not None
    for stream in ("journal", *(f"backfill-{one}" for one in searched)) if is_journal else searched:
        assert f'stitchline_crm_gaps_total{{connection="hub",stream="{stream}"}} 0.0' in page


def test_only_what_has_changed_comes_back(world):
    ann = world.hub.add_by_hand("c1@shop.example", phone="+493090182")
    world.pull()
    world.hub.edit_by_hand(ann, first="Anna")
    (event,) = world.pull()
    assert event.traits == {"firstName": "Anna"}
    world.hub.edit_by_hand(ann, owner="10")
    identify, track = world.pull()
    assert identify.traits == {"owner": "ann"}
    assert (track.name, track.properties["owner"]) == ("Owner Changed", "ann")


def test_an_emptied_field_empties_the_trait(world):
    ann = world.hub.add_by_hand("c1@shop.example", phone="+493090182")
    world.pull()
    world.hub.edit_by_hand(ann, phone="")
    (event,) = world.pull()
    assert event.traits == {"phone": None}


def test_the_sinks_own_writes_do_not_come_back(world):
    ann = world.hub.add_by_hand("c1@shop.example", phone="+493090182")
    world.sink_wrote(ann, phone="+493090182")
    assert world.pull() == []
    assert world.puller.counts.echoes == 1


def test_values_that_follow_a_profile_do_not_come_back_nor_does_their_emptying(world):
    ann = world.hub.add_by_hand("c1@shop.example", phone="1")
    world.pull()
    for value in ("gold", "silver", ""):
        world.hub.put("contacts", ann, jobtitle=value)
        world.sink_wrote(ann, jobtitle=value)
        assert world.pull() == []
    world.hub.put("contacts", ann, jobtitle="typed")
    assert [event.traits for event in world.pull()] == [{"title": "typed"}]


def test_a_write_between_the_reading_of_crm_and_ledger_makes_no_change_of_the_one_before(world):
    ann = world.hub.add_by_hand("c1@shop.example", phone="1")
    world.pull()
    world.hub.put("contacts", ann, jobtitle="gold")
    world.sink_wrote(ann, jobtitle="gold")
    calls = []

    def writes_meanwhile(log):
        read = log.written

        def later():
            calls.append(1)
            if len(calls) == 2:  # the first page is read, and still has gold
                world.sink_wrote(ann, jobtitle="silver")
            return read()

        log.written = later
        return log

    world.pass_time(60)
    world.open(writes_meanwhile).run(Stop(world.clock), drain=True)
    assert world.topics.take() == []


def test_an_owner_that_the_sink_assigned_does_not_come_back(world):
    ann = world.hub.add_by_hand("c1@shop.example", owner="10")
    world.sink_wrote(ann, hubspot_owner_id="10")
    assert world.pull() == []
    world.hub.edit_by_hand(ann, owner="20")
    assert [event.traits for event in world.pull() if event.type == "identify"] == [{"owner": "20"}]


def test_a_company_is_an_account_and_its_contact_belongs_to_it(world):
    company = world.hub.put("companies", name="Shops Ltd")
    ann = world.hub.add_by_hand("c1@shop.example")
    world.hub.put("contacts", ann, associatedcompanyid=company)
    groups = [event for event in world.pull() if event.type == "group"]
    assert [event.traits for event in groups if event.identifiers == [f"account_id:{company}"]] == [
        {"name": "Shops Ltd"}
    ]
    (member,) = [event for event in groups if event.identifiers[0] == f"crm_contact_id:{ann}"]
    assert f"account_id:{company}" in member.identifiers


def test_a_humans_edit_in_the_same_second_comes_back(world):
    ann = world.hub.add_by_hand("c1@shop.example")
    world.pull()
    world.hub.edit_by_hand(ann, phone="+493090182", first="Anna")
    world.sink_wrote(ann, phone="+493090182")
    (event,) = world.pull()
    assert event.traits == {"firstName": "Anna"}


def test_a_written_value_that_a_human_enters_again_is_a_change(world):
    ann = world.hub.add_by_hand("c1@shop.example", phone="+493090182")
    world.sink_wrote(ann, phone="+493090182")
    world.pull()
    world.hub.edit_by_hand(ann, phone="+49301111111")
    assert [event.traits for event in world.pull()] == [{"phone": "+49301111111"}]
    world.hub.edit_by_hand(ann, phone="+493090182")
    assert [event.traits for event in world.pull()] == [{"phone": "+493090182"}]


def test_a_value_that_the_sink_overwrites_again_is_its_own(world):
    ann = world.hub.add_by_hand("c1@shop.example")
    world.hub.put("contacts", ann, jobtitle="A1")
    world.sink_wrote(ann, jobtitle="A1")
    world.pull()
    world.hub.put("contacts", ann, jobtitle="typed")
    assert [event.traits for event in world.pull()] == [{"title": "typed"}]
    world.hub.put("contacts", ann, jobtitle="A1")
    world.sink_wrote(ann, jobtitle="A1")
    assert world.pull() == []


def test_a_merge_joins_the_ids_once(world):
    one, other = world.hub.add_by_hand("c1@shop.example"), world.hub.add_by_hand("c2@shop.example")
    world.pull()
    third = world.hub.merge_by_hand(one, other)
    merged = [event for event in world.pull() if event.name == "Contact Merged"]
    assert len(merged) == 2
    assert {(command.kind, command.a, command.b) for command in world.topics.commands} == {
        ("link", f"crm_contact_id:{one}", f"crm_contact_id:{third}"),
        ("link", f"crm_contact_id:{other}", f"crm_contact_id:{third}"),
    }
    world.pass_time(3600)
    world.hub.put("contacts", third, firstname="Anna")
    assert "Contact Merged" not in names(world.pull())
    assert len(world.topics.commands) == 2


def test_the_archived_half_of_a_merge_is_no_deletion(world):
    one, other = world.hub.add_by_hand("c1@shop.example"), world.hub.add_by_hand("c2@shop.example")
    world.pull()
    third = world.hub.merge_by_hand(one, other)
    happened = names(world.pull())
    for _ in range(3):
        world.pass_time(3600)
        world.hub.put("contacts", third, firstname=str(world.clock()))
        happened += names(world.pull())
    assert happened.count("Contact Merged") == 2
    assert "Contact Deleted" not in happened


@pytest.mark.parametrize(
    ("field", "written", "held", "edited"),
    [
        ("email", "Ann@Shop.Example", "ann@shop.example", "lee@shop.example"),
        ("phone", "+49 (30) 9018-2001", "+493090182001", "+493090182002"),
        ("website", "https://Shop.Example/", "shop.example", "shop.test"),
    ],
)
def test_a_value_that_the_crm_stores_in_its_own_form_is_our_write_and_an_edit_is_not(
    world_of, field, written, held, edited
):
    world = world_of(traits=(CrmTrait(field=field, trait="it", of=("contacts",)),))
    ann = world.hub.put("contacts", **{field: held})
    world.sink_wrote(ann, **{field: written})
    assert world.pull() == []
    world.hub.put("contacts", ann, **{field: edited})

    (event,) = world.pull()
    assert event.traits["it"] == edited


def test_a_deleted_contact_is_an_event_once(world):
    ann = world.hub.add_by_hand("c1@shop.example")
    world.hub.remove("contacts", world.hub.add_by_hand("c9@shop.example"))
    world.pull()
    world.hub.remove("contacts", ann)
    world.pass_time(3600)
    (event,) = world.pull()
    assert (event.name, event.identifiers) == ("Contact Deleted", [f"crm_contact_id:{ann}"])
    world.pass_time(3600)
    assert world.pull() == []


def test_the_life_of_a_deal(world):
    ann = world.hub.add_by_hand("c1@shop.example")
    deal = world.hub.put("deals", dealname="Rollout", dealstage="qualified", amount="1000", deal_currency_code="EUR")
    world.hub.link("deals", deal, "contacts", ann)
    created = [event for event in world.pull() if event.type == "track"]
    assert names(created) == ["Deal Created"]
    assert created[0].identifiers == [f"crm_contact_id:{ann}", "email:c1@shop.example"]
    assert created[0].currency == ""

    world.hub.put("deals", deal, dealstage="negotiation")
    (moved,) = world.pull()
    assert (moved.name, moved.properties["stage"], moved.properties["previous_stage"]) == (
        "Deal Stage Changed", "negotiation", "qualified",
    )  # fmt: skip

    world.pass_time(10 * 86_400)
    world.hub.put("deals", deal, dealstage="closedwon", amount="1250.50", hs_is_closed="true", hs_is_closed_won="true")
    moved, won = world.pull()
    assert names([moved, won]) == ["Deal Stage Changed", "Deal Won"]
    assert (won.amount_minor, won.currency, won.properties["cycle_days"]) == (125_050, "EUR", 10)


@pytest.mark.parametrize(
    ("edit", "expected", "left"),
    [
        ({"amount": "900"}, ["Deal Revenue Corrected"], 90_000),
        ({"deal_currency_code": "USD"}, ["Deal Revenue Corrected", "Deal Revenue Corrected"], 0),
        ({"dealstage": "open", "hs_is_closed": "false", "hs_is_closed_won": "false"},
         ["Deal Stage Changed", "Deal Reopened", "Deal Revenue Corrected"], 0),
        ({"dealstage": "closedlost", "hs_is_closed_won": "false"},
         ["Deal Stage Changed", "Deal Lost", "Deal Revenue Corrected"], 0),
        (None, ["Deal Deleted", "Deal Revenue Corrected"], 0),
    ],
)  # fmt: skip
def test_the_revenue_of_a_won_deal_stays_right_whatever_happens_to_it(world, edit, expected, left):
    ann = world.hub.add_by_hand("c1@shop.example")
    deal = world.hub.put(
        "deals", dealname="Rollout", dealstage="closedwon", amount="1000", deal_currency_code="EUR",
        hs_is_closed="true", hs_is_closed_won="true",
    )  # fmt: skip
    world.hub.link("deals", deal, "contacts", ann)
    first = world.pull()
    world.pass_time(3600)
    if edit is None:
        world.hub.remove("deals", deal)
    else:
        world.hub.put("deals", deal, **edit)
    then = world.pull()
    assert sorted(names(then)) == sorted(expected)
    euros = [event for event in first + then if event.currency == "EUR"]
    assert revenue(euros) == left
    assert all(event.identifiers[0] == f"crm_contact_id:{ann}" for event in then)
    assert world.pull() == []


def test_a_deal_without_a_contact_belongs_to_its_company_and_waits_without_one(world):
    deal = world.hub.put("deals", dealname="Rollout", dealstage="new")
    assert world.pull() == []
    world.hub.link("deals", deal, "companies", "77")
    world.hub.put("deals", deal)
    (event,) = world.pull()
    assert (event.name, event.identifiers) == ("Deal Created", ["account_id:77"])


def test_calls_are_activities_and_our_notes_are_not(world):
    ann = world.hub.add_by_hand("c1@shop.example")
    world.pull()
    call = world.hub.put("calls", hs_call_title="Price", hs_call_status="COMPLETED", hs_timestamp=str(world.clock()))
    note = world.hub.put("notes", hs_note_body="story", stitchline_note="a1", hs_timestamp=str(world.clock()))
    for kind, name in (("calls", call), ("notes", note)):
        world.hub.link(kind, name, "contacts", ann)
    (event,) = world.pull()
    assert (event.name, event.properties["subject"], event.identifiers[0]) == (
        "Call Logged", "Price", f"crm_contact_id:{ann}",
    )  # fmt: skip


def test_thousands_of_objects_with_one_time_are_each_read_once(world):
    at_ms = world.clock()
    for number in range(2_500):
        world.hub.put("contacts", at_ms=at_ms, email=f"c{number}@shop.example", firstname="A")
    events = world.pull()
    assert len({event.identifiers[0] for event in events}) == len(events) == 2_500
    assert world.pull() == []


def test_a_change_that_becomes_visible_late_is_read(world):
    late = world.hub.add_by_hand("late@shop.example", first="Late")
    world.hub.hidden.add(("contacts", late))
    world.hub.add_by_hand("c1@shop.example", first="Anna")
    assert [event.traits["firstName"] for event in world.pull()] == ["Anna"]
    world.hub.hidden.clear()
    assert [event.traits["firstName"] for event in world.pull()] == ["Late"]


def test_an_event_that_intake_would_refuse_is_quarantined(world):
    ann = world.hub.add_by_hand("c1@shop.example")
    deal = world.hub.put(
        "deals", dealstage="closedwon", amount="10", deal_currency_code="EURO", hs_is_closed_won="true"
    )
    world.hub.link("deals", deal, "contacts", ann)
    world.pull()
    ((document, why),) = world.topics.rejected
    assert document["event"] == "Deal Won"
    assert "currency" in why.detail


def test_a_limit_pauses_and_a_missing_right_stops(world):
    world.hub.add_by_hand("c1@shop.example")
    world.pass_time(60)
    answer = world.hub.answer

    def refuse(kind):
        world.hub.answer = lambda request, fault: (
            answer(request, fault) if "/oauth/" in request.url.path else world.hub.refusal(kind)
        )

    refuse(faults.SLOW_DOWN)
    puller = world.open()
    puller.start()
    assert puller.step(Stop(world.clock)) is False
    assert "waits" in puller.not_ready()[-1]
    refuse(faults.RIGHT_MISSING)
    with pytest.raises(SinkError, match="needs contacts"):
        puller.step(Stop(world.clock))
    world.hub.answer = answer
    assert len(world.pull()) == 1


def test_a_second_puller_shuts_out_the_first(world):
    first = world.open()
    first.start()
    world.hub.add_by_hand("c1@shop.example", first="Anna")
    world.pull()
    world.hub.add_by_hand("c2@shop.example", first="Bob")
    world.pass_time(60)
    with pytest.raises(SinkError, match="another process"):
        first.step(Stop(world.clock))
    assert len(world.pull()) == 1


def test_searches_that_return_less_than_their_limit_lose_nothing(world):
    world.hub.search_page = 7
    for number in range(20):
        world.hub.put("contacts", email=f"c{number}@shop.example", firstname="A")
    assert len(world.pull()) == 20
    assert world.pull() == []
