"""Set-up, check and reconciliation of the CRMs with leads, and crm.yaml's checks of their connections."""

import msgspec
import pytest

from connectors.crm.deviation import Kind
from connectors.crm.exchange import Answer
from connectors.crm.ledger import Ledger
from connectors.crm.reconcile import deviations, repair
from connectors.crm.salesforce import answers as salesforce
from connectors.crm.sink import Action, SinkError
from connectors.crm.zoho import answers as zoho
from pipeline.rules.crm import CrmConnection, CrmField, CrmLogin
from tests.crm.dynamics.emulator import Dynamics
from tests.crm.emulator import SECRET
from tests.crm.emulators import EMULATORS
from tests.crm.salesforce.emulator import Salesforce
from tests.crm.world import World, action

KINDS = ("salesforce", "dynamics", "zoho")


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def bare(kind, monkeypatch) -> World:
    """An account without anything of ours."""
    monkeypatch.setattr(EMULATORS[kind], "prepare", lambda _self: None)
    return World(kind)


def test_setup_creates_what_is_missing_once_and_tests_it(bare):
    sink = bare.sink(Ledger())
    planned = sink.setup(dry_run=True)
    assert len([one for one in planned if one.text.startswith(("missing: field ", "missing: column "))]) >= 18
    assert not any(finding.ok for finding in planned)
    assert planned == sink.setup(dry_run=True)

    done = sink.setup(dry_run=False)
    assert all(finding.ok for finding in done), done
    assert done[-1].text.startswith(f"self-test: a {bare.crm.home} written twice is there once")
    assert bare.crm.leads() == {}
    again = sink.setup(dry_run=False)
    assert [finding.text.partition(":")[0] for finding in again] == ["self-test"]
    assert [finding.text for finding in sink.check()] == [
        f"owner {bare.crm.owners_by_name['gone']} of gone is no active owner in {bare.crm.name}"
    ]
    bare.send(action(1))
    assert bare.run().delivered == 1
    assert bare.lead(f"{1:032x}")["score"] == "72.5"


def test_a_sink_without_its_set_up_stops_and_names_the_command(bare):
    bare.send(action(1))

    with pytest.raises(SinkError, match="run: stitchline crm setup NAME"):
        bare.run()


def test_setup_leaves_a_field_of_another_type_alone(kind):
    world = World(kind)
    crm = world.crm
    types = crm.org.types["Lead"] if isinstance(crm, Salesforce) else crm.types[next(iter(crm.types))]
    name = next(name for name in types if name.lower().startswith(("stitchline_score", "new_stitchline_score")))
    types[name] = "picklist"
    findings = world.sink(Ledger()).setup(dry_run=False)

    assert any(f"{name}" in one.text and "has type picklist, not" in one.text for one in findings if not one.ok)
    assert types[name] == "picklist"


def test_salesforce_fields_without_field_level_security_are_granted():
    world = World("salesforce")
    assert isinstance(world.crm, Salesforce)
    org = world.crm.org
    for object_type in ("Lead", "Contact"):
        for name in [name for name in org.types[object_type] if name.startswith("Stitchline_")]:
            org.hidden.add((object_type, name))
            row = {"DeveloperName": name.removesuffix("__c"), "TableEnumOrId": object_type}
            org.create("CustomField", row, by_api=False)
    world.send(action(1))
    with pytest.raises(SinkError, match="no field Stitchline_Action__c that the user may write"):
        world.run()
    findings = world.sink(Ledger()).setup(dry_run=False)

    assert [one.text for one in findings] == [
        "created: permission set Stitchline",
        "created: field-level security of 18 fields in Stitchline",
        "created: assignment of Stitchline to the user",
        "self-test: a lead written twice is there once; it was deleted again",
    ]
    assert world.run().delivered == 1


def test_a_batch_that_stops_at_its_first_failure_is_continued_behind_it():
    world = World("dynamics")
    assert isinstance(world.crm, Dynamics)
    world.crm.continues = False
    bad = {3, 40, 41, 99}
    world.send(*(action(n, **({"contact": {"email": "x@y.invalid"}} if n in bad else {})) for n in range(100)))
    runner = world.run()

    assert (runner.delivered, runner.quarantined) == (96, 4)
    assert len(world.crm.leads()) == 96


def test_the_parts_of_a_batch_count_against_the_rate():
    world = World("dynamics")
    calls = []
    sink = world.sink(Ledger())
    take = world.http._buckets.take
    world.http._buckets.take = lambda *arguments: calls.append(arguments[-1]) or take(*arguments)  # type: ignore[method-assign]
    sink.deliver([Action(0, n, action(n)) for n in range(100)])

    assert sorted(calls)[-2:] == [100, 100], "100 leads and 100 notes"


def test_reconcile_finds_deviations_and_repairs_what_it_may(kind):
    world = World(kind, deleted="recreate")
    world.send(*(action(n) for n in range(1, 7)))
    world.run()
    ids = {n: world.lead_id(f"{n:032x}") for n in range(1, 7)}
    world.crm.delete_by_hand(ids[1])
    contact = world.crm.convert_by_hand(ids[2])
    world.crm.edit_by_hand(ids[4], score="1")
    world.crm.edit_by_hand(ids[5], revision="0")
    ledger = Ledger()
    ledger.apply(world.topics.ledger)
    sink = world.sink(ledger)
    found = list(deviations(ledger, sink.compare))

    kinds = {int(item.row.action_id, 16): item.kind for item in found}
    assert kinds == {1: Kind.DELETED, 2: Kind.CONVERTED, 4: Kind.CHANGED, 5: Kind.OLDER}
    details = {int(item.row.action_id, 16): item.detail for item in found}
    assert "score" in details[4].lower()
    assert contact in details[2]

    bodies = [Action(0, at, body) for at, body in enumerate(world.sent)]
    repaired = repair(found, sink, find=lambda ids: [one for one in bodies if one.action_id in ids], save=ledger.apply)

    assert msgspec.to_builtins(repaired) == {"repointed": 1, "delivered": 2, "left": 0}
    assert world.lead(f"{1:032x}")["revision"] == "1"
    assert world.lead(f"{5:032x}")["revision"] == "1"
    assert {int(item.row.action_id, 16) for item in deviations(ledger, sink.compare)} == {4}


def test_salesforce_answers_in_odd_shapes_deliver_nothing():
    for body in (None, {}, [], ["text"], [{"success": True}], [{"success": False}]):
        batch = salesforce.batch_of(Answer(status=200, body=body), 1)
        assert not any(getattr(one, "id", "") for one in batch.results)


def test_zoho_answers_in_odd_shapes_deliver_nothing():
    for body in (None, [], {"data": None}, {"data": [{}]}, {"data": [{"status": "success"}]}):
        batch = zoho.batch_of(Answer(status=200, body=body), 1)
        assert not any(getattr(one, "id", "") for one in batch.results)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"kind": "salesforce", "url": "https://a.my.salesforce.com"}, "lacks client_id"),
        ({"kind": "salesforce", "url": "", "login": CrmLogin(client_id="i")}, "is not https"),
        ({"kind": "dynamics", "url": "https://a.crm4.dynamics.com", "login": CrmLogin(client_id="i")},
         "lacks tenant_id"),
        ({"kind": "salesforce", "url": "https://a.my.salesforce.com", "login": CrmLogin(client_id="i")},
         "refuses a lead without LastName: add a field with a default"),
        ({"kind": "zoho", "url": "https://accounts.zoho.eu", "login": CrmLogin(client_id="i", refresh_token="1000.x")},
         "the refresh_token of 'crm' is not env:VARIABLE or file:/path"),
        ({"kind": "salesforce", "url": "https://a.my.salesforce.com", "login": CrmLogin(client_id="i"),
          "fields": (CrmField(to="Stitchline_Score__c", value="score"),)}, "is written by itself"),
    ],
)  # fmt: skip
def test_an_incomplete_connection_is_refused_with_what_it_lacks(fields, problem):
    with pytest.raises(ValueError, match=problem):
        CrmConnection(name="crm", secret=SECRET, **fields)
