"""HubSpot's set-up, check and reconciliation, and its answers in odd shapes."""

import msgspec
import pytest

from connectors.crm.connect import connection_of, open_http
from connectors.crm.deviation import Kind
from connectors.crm.exchange import Answer, Call
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.hubspot.answers import batch_of, checked, fault_of
from connectors.crm.ledger import Ledger
from connectors.crm.reconcile import deviations, repair
from connectors.crm.secret import read_secret
from connectors.crm.sink import Action, SinkError
from connectors.crm.split import MAX_FAILURES, Batch, Failed, Splitter, Written
from pipeline.errors import MisuseError, SecretError
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmRules
from tests.crm import emulator as faults
from tests.crm.hubspot_emulator import HubSpot
from tests.crm.world import World, action


@pytest.fixture
def world() -> World:
    return World()


def bare(world: World) -> HubSpot:
    """The account without anything of ours."""
    assert isinstance(world.crm, HubSpot)
    for kind, types in world.crm.types.items():
        world.crm.types[kind] = {name: one for name, one in types.items() if not name.startswith("stitchline_")}
    return world.crm


def test_setup_creates_what_is_missing_once_and_tests_it(world):
    crm, sink = bare(world), world.sink(Ledger())
    planned = sink.setup(dry_run=True)
    assert len(planned) == 12
    assert not any(finding.ok for finding in planned)
    assert "missing: property stitchline_action of contacts" in {finding.text for finding in planned}
    assert crm.groups["contacts"] == set()

    done = sink.setup(dry_run=False)
    assert all(finding.ok for finding in done), done
    assert done[-1].text.startswith("self-test: a contact written twice is there once")
    assert crm.leads() == {}
    again = sink.setup(dry_run=False)
    assert [finding.text.partition(":")[0] for finding in again] == ["self-test"]
    assert [finding.text for finding in sink.check()] == ["owner 30 of gone is no active owner in HubSpot"]


def test_setup_leaves_a_property_of_another_type_alone(world):
    crm = bare(world)
    crm.types["contacts"]["stitchline_score"] = "string"
    findings = world.sink(Ledger()).setup(dry_run=False)

    assert [finding.text for finding in findings if not finding.ok] == [
        "property stitchline_score of contacts has type string, not number: delete or rename it"
    ]
    assert crm.types["contacts"]["stitchline_score"] == "string"


def test_check_names_unknown_fields_and_owners(world):
    assert isinstance(world.crm, HubSpot)
    del world.crm.types["contacts"]["phone"]

    assert [finding.text for finding in world.sink(Ledger()).check()] == [
        "field phone of crm.yaml is no contact property of HubSpot: it is left out of every contact",
        "owner 30 of gone is no active owner in HubSpot",
    ]


def test_a_sink_without_its_set_up_stops_and_names_the_command(world):
    bare(world)
    world.send(action(1))

    with pytest.raises(SinkError, match="no property stitchline_action and no stitchline_note; run: stitchline crm"):
        world.run()


def test_an_unknown_api_version_is_named():
    world = World(version="2031-09")
    world.send(action(1))

    with pytest.raises(SinkError, match=r"does not know /crm/properties/2031-09/contacts .* correct version"):
        world.run()


def test_reconcile_finds_every_kind_of_deviation_and_repairs_what_it_may(world):
    world.connection = msgspec.structs.replace(world.connection, deleted="recreate")
    world.send(*(action(n) for n in range(1, 7)))
    world.run()
    ids = {n: world.lead_id(f"{n:032x}") for n in range(1, 7)}
    world.crm.delete_by_hand(ids[1])
    third = world.crm.merge_by_hand(ids[2], ids[3])
    world.crm.edit_by_hand(ids[4], first="Anna", score="1")
    world.crm.edit_by_hand(ids[5], revision="0")
    ledger = Ledger()
    ledger.apply(world.topics.ledger)
    sink = world.sink(ledger)

    found = list(deviations(ledger, sink.compare))

    kinds = {int(item.row.action_id, 16): (item.kind, item.detail) for item in found}
    assert kinds == {
        1: (Kind.DELETED, ""),
        2: (Kind.MERGED, f"into {third}"),
        3: (Kind.MERGED, f"into {third}"),
        4: (Kind.CHANGED, "stitchline_score"),
        5: (Kind.OLDER, "revision 0, the ledger has 1"),
    }

    bodies = [Action(0, at, body) for at, body in enumerate(world.sent)]
    saved: list = []

    def save(rows) -> None:
        saved.extend(rows)
        ledger.apply(rows)

    repaired = repair(found, sink, find=lambda ids: [one for one in bodies if one.action_id in ids], save=save)

    assert msgspec.to_builtins(repaired) == {"repointed": 2, "delivered": 2, "left": 0}
    assert world.lead(f"{1:032x}")["revision"] == "1"
    assert world.lead(f"{5:032x}")["revision"] == "1"
    left = {int(item.row.action_id, 16): item.kind for item in deviations(ledger, sink.compare)}
    assert left == {3: Kind.CHANGED, 4: Kind.CHANGED}  # 3 is the loser of the merge: the survivor has other values


def test_reconcile_leaves_a_deleted_contact_to_a_review(world):
    world.send(action(1))
    world.run()
    world.crm.delete_by_hand(world.lead_id(f"{1:032x}"))
    ledger = Ledger()
    ledger.apply(world.topics.ledger)
    sink = world.sink(ledger)
    found = list(deviations(ledger, sink.compare))
    repaired = repair(found, sink, find=lambda _: [Action(0, 0, world.sent[0])], save=lambda _: None)

    assert (repaired.delivered, repaired.left) == (0, 1)
    assert world.crm.leads() == {}


@pytest.mark.parametrize(
    ("status", "fault"),
    [(0, Fault.OUTAGE), (400, Fault.BAD_RECORD), (401, Fault.KEY_REFUSED), (403, Fault.RIGHT_MISSING),
     (404, Fault.GONE), (409, Fault.CONFLICT), (429, Fault.SLOW_DOWN), (477, Fault.OUTAGE),
     (500, Fault.SERVER_ERROR), (502, Fault.OUTAGE), (503, Fault.OUTAGE), (504, Fault.OUTAGE), (200, None)],
)  # fmt: skip
def test_every_status_has_a_fault(status, fault):
    assert fault_of(Answer(status=status)) is fault


def test_a_limit_pauses_for_as_long_as_the_crm_asks():
    with pytest.raises(StoppedError) as stopped:
        checked(Answer(status=429, headers={"retry-after": "7"}, body={"message": "You have reached your limit"}))
    assert stopped.value.pause.after_ms == 7000
    assert "You have reached your limit" in stopped.value.pause.reason


def test_a_partial_answer_gives_each_record_its_own_verdict():
    body = {
        "results": [{"id": "7", "properties": {"k": "a"}}, "junk", {"id": "9", "objectWriteTraceId": "b"}],
        "errors": [
            {"category": "CONFLICT", "message": "Existing ID: 5", "context": {"objectWriteTraceId": ["c"]}},
            {"category": "VALIDATION_ERROR", "message": "bad", "context": {"ids": "d"}},
        ],
    }
    batch = batch_of(Answer(status=207, body=body), ["a", "b", "c", "d", "e"], key_property="k")

    assert batch.results == [
        Written("7", {"k": "a"}), Written("9"), Failed(Fault.CONFLICT, "Existing ID: 5", "5"),
        Failed(Fault.BAD_RECORD, "bad"), None,
    ]  # fmt: skip
    assert batch.has_errors


@pytest.mark.parametrize("body", [None, [], "text", 3, {"results": None}, {"results": {}}, {"results": [[]]}])
def test_an_answer_in_an_odd_shape_delivers_nothing(body):
    assert batch_of(Answer(status=200, body=body), ["a"], key_property="k").results == [None]


@pytest.mark.parametrize("bad", [set(), {0}, {99}, {3, 50, 51}, set(range(100))])
def test_halving_finds_exactly_the_bad_records(bad):
    def once(items):
        if bad & set(items):
            return Batch(whole=Failed(Fault.BAD_RECORD, "bad"))
        return Batch(results=[Written(str(item)) for item in items])

    results = Splitter().write(range(100), once)

    assert {at for at, result in enumerate(results) if isinstance(result, Failed)} == bad


def test_a_crm_that_fails_for_every_record_is_taken_for_an_outage():
    asked = []

    def once(items):
        asked.append(len(items))
        return Batch(whole=Failed(Fault.SERVER_ERROR, "HTTP 500"))

    with pytest.raises(StoppedError):
        Splitter().write(range(100), once)
    assert asked.count(1) == MAX_FAILURES


def test_the_requests_of_a_tenant_keep_to_its_rate(world):
    http = open_http(
        msgspec.structs.replace(world.connection, secret="env:HUBSPOT_KEY_OF_TEST", requests=5, per_seconds=10),
        clock=world.clock, sleep=world.clock.sleep, metrics=Metrics(), transport=world.crm.transport(),
    )  # fmt: skip
    start = world.clock.now_ms
    for _ in range(10):
        assert http.send(Call(method="GET", path="/crm/owners/2026-09", tenant="t")).status == 200

    assert 9_900 <= world.clock.now_ms - start <= 10_500


@pytest.fixture(autouse=True)
def key_of_test(monkeypatch):
    monkeypatch.setenv("HUBSPOT_KEY_OF_TEST", " s-1 ")


def test_secrets_come_from_the_environment_or_a_file_and_their_absence_is_named(tmp_path):
    (tmp_path / "key").write_text("pat-2\n", encoding="utf-8")
    assert read_secret("env:HUBSPOT_KEY_OF_TEST") == "s-1"
    assert read_secret(f"file:{tmp_path}/key") == "pat-2"
    for reference, problem in [
        ("env:NOT_THERE", "NOT_THERE is not set"), (f"file:{tmp_path}/none", "cannot be read"),
    ]:  # fmt: skip
        with pytest.raises(SecretError, match=problem):
            read_secret(reference)
    (tmp_path / "key").write_text("", encoding="utf-8")
    with pytest.raises(SecretError, match="is empty"):
        read_secret(f"file:{tmp_path}/key")


def test_an_unknown_connection_is_refused_with_the_known_ones(world):
    with pytest.raises(MisuseError, match="no connection 'x'; it has crm"):
        connection_of(CrmRules(connections=(world.connection,)), "x")


def test_a_passing_fault_while_checking_is_a_finding(world):
    assert isinstance(world.crm, HubSpot)
    world.crm.is_write = lambda _: True  # type: ignore[method-assign]
    world.crm.planned = [faults.UNAVAILABLE]

    (finding,) = world.sink(Ledger()).check()
    assert not finding.ok
    assert "is not available now" in finding.text
