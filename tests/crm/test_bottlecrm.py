"""Both ways with a real BottleCRM: leads go out, deals and edits come back."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import msgspec
import pytest

from connectors.crm.bottlecrm.gateway import BottleCrmGateway
from connectors.crm.connect import gateway_of, open_http, open_sink
from connectors.crm.deviation import Kind
from connectors.crm.exchange import Answer, Call
from connectors.crm.ledger import Ledger
from connectors.crm.sink import Delivered
from connectors.crm.sync.board import Board
from connectors.crm.sync.plan import Planner
from connectors.crm.sync.writer import SyncWriter
from pipeline.clock import wall_clock_ms
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm_sync import CrmSync
from tests.crm.bottlecrm.server import BottleCrm
from tests.crm.bottlecrm.shop import Shop
from tests.crm.sync_world import VALUES, vip
from tests.crm.world import action, actions_of, profile


@pytest.fixture(scope="module")
def shop(bottlecrm: BottleCrm, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(bottlecrm, tmp_path_factory.mktemp("shop"))
    with closing(shop.sink()) as sink:
        assert all("missing" in one.text for one in sink.setup(dry_run=True))
        assert [one for one in sink.setup(dry_run=False) if not one.ok] == []
        assert [one for one in sink.check() if not one.ok] == []
    return shop


def visit(number: int) -> list[dict[str, Any]]:
    email = f"c{number}@shop.example"
    names = {"email": email, "firstName": f"Name{number}", "lastName": "Shopper", "phone": f"+4930901820{number:02d}"}
    who = {"userId": f"u{number}"}
    return [
        {"type": "identify", **who, "traits": names},
        {"type": "page", **who, "properties": {"title": "Pricing"}},
        {"type": "track", "event": "Quote Requested", **who, "properties": {"product": "Rollout"}},
    ]


def test_a_shop_day_both_ways(shop):
    crm = shop.crm
    # The day ends with leads: owner, score and story.
    shop.happens(*(event for number in range(3) for event in visit(number)))
    assert len(shop.actions) == 3
    shop.deliver(*shop.actions)
    leads = {lead["email"]: lead for lead in crm.leads()}
    assert set(leads) == {f"c{number}@shop.example" for number in range(3)}
    for lead in leads.values():
        assert lead["assigned_to"][0]["id"] in {crm.profiles["ann"], crm.profiles["bob"]}
        assert lead["custom_fields"]["stitchline_score"] >= 60
        (comment,) = crm.get(f"/api/leads/{lead['id']}/")["comments"]
        assert "quote_requested" in comment["comment"]
        assert "Pricing" in comment["comment"]

    # Our own writes do not come back.
    assert shop.pull() == []

    # A representative edits the lead, converts it, and wins the deal.
    lead = leads["c1@shop.example"]
    crm.patch(f"/api/leads/{lead['id']}/", {"phone": "+493090182099", "status": "in process"})
    edited = shop.pull()
    assert [event.traits for event in edited] == [{"phone": "+493090182099", "lead_status": "in process"}]
    converted = crm.patch(f"/api/leads/{lead['id']}/", {"status": "converted"})
    contact, deal = converted["contact_id"], converted["opportunity_id"]
    assert lead["id"] not in {one["id"] for one in crm.leads()}
    happened = [event.name or event.type for event in shop.pull()]
    assert sorted(happened) == ["Deal Created", "Lead Converted", "group", "identify"]
    crm.patch(f"/api/opportunities/{deal}/", {"stage": "NEGOTIATION", "amount": "11000.00", "currency": "EUR"})
    assert [event.name for event in shop.pull()] == ["Deal Stage Changed"]
    assert "in_negotiation" in shop.profile("email:c1@shop.example")["segments"]
    crm.patch(f"/api/contacts/{contact}/", {"title": "Head of Shops"})
    crm.patch(f"/api/opportunities/{deal}/", {"stage": "CLOSED_WON", "amount": "12500.50", "closed_on": "2026-11-30"})
    assert sorted(event.name or event.type for event in shop.pull()) == ["Deal Stage Changed", "Deal Won", "identify"]

    # All of it is one customer's.
    profile = shop.profile("email:c1@shop.example")
    assert {f"crm_contact_id:{lead['id']}", f"crm_contact_id:{contact}", "user_id:u1"} <= set(profile["identifiers"])
    assert profile["traits"]["title"]["value"] == "Head of Shops"
    assert profile["aggregates"]["deal_revenue"]["lifetime"] == {"EUR": 1_250_050}
    assert "customers_by_deal" in profile["segments"]
    told = {entry["event"] for entry in profile["timeline"]}
    assert {"Quote Requested", "Lead Converted", "Deal Created", "Deal Stage Changed", "Deal Won"} <= told

    # A second revision goes to the contact, not to a new lead.
    (first,) = [one for one in shop.actions if one["contact"].get("email") == "c1@shop.example"]
    runner = shop.deliver({**first, "revision": 2, "score": 88.0})
    assert (runner.delivered, runner.quarantined) == (1, 0)
    assert len(crm.leads()) == 2
    detail = crm.get(f"/api/contacts/{contact}/")
    assert detail["contact_obj"]["custom_fields"]["stitchline_score"] == 88
    assert len(detail["comments"]) == 1
    assert shop.pull() == []

    # The amount of the won deal is corrected, then everything is deleted.
    crm.patch(f"/api/opportunities/{deal}/", {"amount": "12000.00"})
    assert [event.properties["revenue"] for event in shop.pull()] == ["-500.50"]
    assert shop.profile("email:c1@shop.example")["aggregates"]["deal_revenue"]["lifetime"] == {"EUR": 1_200_000}
    crm.delete(f"/api/leads/{leads['c2@shop.example']['id']}/")
    assert [event.name for event in shop.pull()] == ["Lead Deleted"]


def test_eight_deliveries_at_once_make_one_lead(shop):
    def deliver(_: int) -> Any:
        with closing(shop.sink()) as sink:
            return sink.deliver(actions_of([action(1, owner="", contact={"email": "once@shop.example"})]))[0]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(deliver, range(8)))
    key = action(1)["action_id"]
    (lead,) = [one for one in shop.crm.leads() if one["custom_fields"].get("stitchline_action") == key]
    assert {outcome.id for outcome in outcomes if isinstance(outcome, Delivered)} == {lead["id"]}
    assert sum(isinstance(outcome, Delivered) for outcome in outcomes) >= 1


def test_refusals_conflicts_and_reconciliation(shop):
    known = {"email": "known@shop.example", "phone": "+493090182077"}
    by_hand = shop.crm.post("/api/leads/", {"first_name": "Known", **known})
    poison = action(11, contact={"email": "not an address"})
    runner = shop.deliver(poison, action(12, contact={**known, "phone": "+493090182000"}), action(13))
    assert (runner.delivered, runner.quarantined) == (2, 1)
    ((refused,)) = shop.topics.quarantine
    assert "email" in refused.detail
    leads = {lead["email"]: lead for lead in shop.crm.leads()}
    assert leads["known@shop.example"]["id"] == by_hand["id"]
    assert leads["known@shop.example"]["phone"] == "+493090182077"

    other = leads["c13@shop.example"]["id"]
    shop.crm.patch(f"/api/leads/{other}/", {"custom_fields": {"stitchline_grade": "Z9"}})
    shop.crm.delete(f"/api/leads/{by_hand['id']}/")
    rows = [row for row in shop.topics.ledger if row.object_id in {by_hand["id"], other}]
    with closing(shop.sink()) as sink:
        found = {one.row.object_id: (one.kind, one.detail) for one in sink.compare(rows)}
    assert found == {by_hand["id"]: (Kind.DELETED, ""), other: (Kind.CHANGED, "stitchline_grade")}


def test_an_erasure_deletes_the_lead_and_leaves_a_converted_one_to_a_review(shop):
    shop.deliver(action(21), action(22))
    rows = {row.action_id: row.object_id for row in shop.topics.ledger}
    erased, converted = rows[f"{21:032x}"], rows[f"{22:032x}"]
    shop.crm.patch(f"/api/leads/{converted}/", {"status": "converted"})
    shop.deliver(*(action(number, revision=2, kind="erase") for number in (21, 22)))

    assert shop.crm.hand.get(f"/api/leads/{erased}/").status_code == 404
    rows = {row.action_id: (row.state, row.object_id) for row in shop.topics.ledger}
    assert (rows[f"{21:032x}"], rows[f"{22:032x}"]) == (("erased", ""), ("open", converted))
    words = f"erase lead {converted} by hand, with the lead, contact, account and opportunity of its conversion"
    assert shop.topics.quarantine[-1].detail == words

    shop.deliver(action(21, revision=3, kind="erase"))
    assert shop.topics.ledger[-1].state == "erased"


def test_comments_go_before_their_lead_because_the_server_would_keep_them(shop):
    shop.deliver(action(23))
    lead = shop.topics.ledger[-1].object_id
    assert len(shop.crm.get(f"/api/leads/{lead}/")["comments"]) == 1
    http = open_http(shop.connection, clock=wall_clock_ms, sleep=time.sleep, metrics=Metrics())

    def keep_leads(call: Call) -> Answer:
        is_lead = call.method == "DELETE" and "comment" not in call.path
        return Answer(status=500, text="not now") if is_lead else http.send(call)

    failed = BottleCrmGateway(shop.connection, keep_leads, wall_clock_ms).delete("lead", lead)
    http.close()

    assert failed is not None
    assert failed.words == "HTTP 500: not now"
    assert shop.crm.get(f"/api/leads/{lead}/")["comments"] == []


def test_fields_follow_a_profile_and_are_emptied(shop):
    fields = tuple(msgspec.structs.replace(one, to=f"now_{name}") for name, one in VALUES.items())
    connection = msgspec.structs.replace(shop.connection, sync=CrmSync(fields=fields, every_seconds=0))
    http = open_http(connection, clock=wall_clock_ms, sleep=time.sleep, metrics=Metrics())
    contact = shop.crm.post("/api/contacts/", {"first_name": "Ann", "last_name": "Follows"})["id"]
    ledger, board = Ledger(), Board(connection)
    link = {"tenant": connection.back.tenant, "identifiers": [f"{connection.back.identifier}:{contact}"]}

    def held_after(version: int, **fields: Any) -> dict[str, Any]:
        board.apply([("p1", profile("p1", version, **link, **fields))])
        targets, _ = Planner(board, ledger).plan(board.due(0, 10), link["tenant"])
        SyncWriter(connection, gateway_of(connection, http, wall_clock_ms), ledger, wall_clock_ms).write(targets, "t")
        results = [target.result for target in targets]
        assert all(isinstance(result, Delivered) for result in results), results
        ledger.apply([result.row for result in results if isinstance(result, Delivered) and result.row])
        board.settle("p1")
        custom = shop.crm.get(f"/api/contacts/{contact}/")["contact_obj"]["custom_fields"]
        return {name: value for name, value in custom.items() if name.startswith("now_")}

    with closing(open_sink(connection, http, ledger, wall_clock_ms)) as sink:
        assert [one for one in sink.setup(dry_run=False) if not one.ok] == []
        written = held_after(1, **vip())
        assert written == {"now_vip": True, "now_listed": "vip;buyers", "now_warmth": 42, "now_plan": "gold"}
        assert held_after(2, segments=["buyers"]) == {"now_vip": False, "now_listed": "buyers"}
        assert held_after(3, status="empty") == {"now_vip": False}
