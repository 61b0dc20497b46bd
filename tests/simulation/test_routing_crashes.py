"""ROUTE under crashes: after aborts and restores each lead still has the same owner, exactly once.

A worker that crashes, or whose commit is refused, loses its output and its changed rows together. A new owner of the
partition has only the changelog. In both cases the stage must decide as an undisturbed stage does.
"""

import os
import random
from typing import Any, cast

import msgspec
import pytest

from pipeline.avro.codecs import Codecs
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.kafka.record import Record
from pipeline.obs import metrics as m
from pipeline.profile.records import Lead
from pipeline.route.rules import Absence, Rep, Route, RoutingRules, Team
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import NO_BREAKER
from pipeline.state.partition import change_of, changelog_key
from pipeline.state.store import PartitionStore
from pipeline.stream.stages.base import Context, Stage
from pipeline.stream.stages.route import ROUTE
from pipeline.testing.log import MemoryLog
from pipeline.testing.store import MemoryStore
from pipeline.topics import ACTIONS, LEADS
from pipeline.trigger.action import DUPLICATE
from tests.support.leads import lead, moment

SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "60"))
FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))
LEADS_EACH = 120
ROUTING = RoutingRules(
    reps=(
        Rep(name="ann", weight=3, capacity="4 per 1 h"),
        Rep(name="bob", absent=(Absence(first="2026-11-23", last="2026-11-24"),)),
        Rep(name="cyn"),
        Rep(name="dan", weight=2, capacity="9 per 1 d"),
    ),
    teams=(Team(name="north", reps=("ann", "bob")), Team(name="inside", reps=("cyn", "dan", "bob"))),
    routes=(Route(name="dach", when='traits.country = "DE"', team="north"),),
    catch_all="inside",
)
RULES = msgspec.structs.replace(load_rules(), routing=ROUTING)
SETTINGS = Settings()


def history(chance: random.Random) -> list[Record]:
    """Leads of two tenants over three days, with returning customers, repetitions and duplicates."""
    log, at_ms = MemoryLog(SETTINGS.topic_prefix), moment("2026-11-22")
    for number in range(LEADS_EACH):
        at_ms += chance.randrange(2 * 3 * 86_400_000 // LEADS_EACH)
        old = chance.randrange(number) if number and chance.random() < 0.2 else number
        made = lead(
            old,
            f"user_id:{chance.randrange(40)}",
            f"email:{chance.randrange(40)}@example.org",
            at_ms=at_ms,
            tenant=chance.choice(("acme", "other")),
            traits={"country": chance.choice(("DE", "FR")), **chance.choice(({}, {}, {"owner": "bob"}))},
            **({"kind": DUPLICATE, "duplicate_of": "lead-0"} if old != number and chance.random() < 0.5 else {}),
        )
        log.emit(LEADS, made.tenant, msgspec.msgpack.encode(made))
    return list(log.take(LEADS))


class Bench:
    """The stage over a store in memory, with its changelog."""

    def __init__(self) -> None:
        self.log = MemoryLog(SETTINGS.topic_prefix)
        self.store = MemoryStore()
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.actions: list[dict[str, Any]] = []
        self._decode = Decoder(ACTIONS.value)
        self.stage = self._build()

    def _build(self) -> Stage:
        context = Context(
            settings=SETTINGS, rules=RULES, codecs=Codecs(FileIds(), SETTINGS.topic_prefix), clock=lambda: 0,
            emit=self.log.emit, partition_of=lambda _key: 0, breaker=NO_BREAKER, metrics=m.Metrics(),
        )  # fmt: skip
        return ROUTE.build(context, 0, cast("PartitionStore", self.store))

    def take(self, batch: list[Record]) -> None:
        self.stage.on_batch(LEADS.of(SETTINGS.topic_prefix), batch)

    def commit(self) -> None:
        self.stage.before_commit()
        changes = self.stage.state.changes()
        self.changelog += [(changelog_key(change), change.value) for change in changes]
        self.stage.state.persist(changes)
        self.actions += [self._decode(record.value()) for record in self.log.take(ACTIONS)]

    def abort(self) -> None:
        """Continues as a worker whose commit was refused."""
        self.log.take(ACTIONS)
        self.stage = self._build()

    def move(self) -> None:
        """Continues as a worker that has only the changelog."""
        self.abort()
        self.store = MemoryStore()
        self.store.apply([change_of(key, value) for key, value in self.changelog], 0)
        self.stage = self._build()


def undisturbed(records: list[Record]) -> list[dict[str, Any]]:
    bench = Bench()
    bench.take(records)
    bench.commit()
    return bench.actions


def new_words(records: list[Record]) -> list[tuple[str, str, str]]:
    """Returns tenant, lead and duplicated lead of every record that changes the state of its lead."""
    last: dict[tuple[str, str], str] = {}
    result = []
    for action in (msgspec.msgpack.decode(record.value() or b"", type=Lead).action for record in records):
        lead_key, word = (action.tenant, action.action_id), action.duplicate_of
        if last.get(lead_key) != word:
            last[lead_key] = word
            result.append((*lead_key, word))
    return result


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_crashes_and_moves_change_no_decision(seed: int) -> None:
    chance = random.Random(seed)
    records = history(chance)
    bench, at = Bench(), 0
    while at < len(records):
        taken = at
        for _ in range(chance.randint(1, 3)):
            batch = records[taken : taken + chance.randint(1, 15)]
            if batch:
                bench.take(batch)
            taken += len(batch)
        fate = chance.choice(("commit", "commit", "abort", "move"))
        getattr(bench, fate)()
        at = taken if fate == "commit" else at

    assert bench.actions == undisturbed(records), (
        f"replay: STITCHLINE_SEEDS=1 STITCHLINE_FIRST_SEED={seed} pytest {__file__}"
    )


def test_every_lead_is_one_action_under_its_profile_with_an_owner_and_counted_by_what_decided() -> None:
    bench = Bench()
    records = history(random.Random(0))
    bench.take(records)
    emitted = bench.log.take(ACTIONS)
    actions = [Decoder(ACTIONS.value)(record.value()) for record in emitted]
    assert [(action["tenant"], action["action_id"], action["duplicate_of"]) for action in actions] == new_words(records)
    assert [record.key() for record in emitted] == [action["profile_id"].encode() for action in actions]
    assert all(action["owner_reason"] for action in actions)
    assert all(action["owner"] for action in actions if action["kind"] == "lead")
    assert {action["owner"] for action in actions if action["kind"] == "lead"} == {"ann", "bob", "cyn", "dan"}


def test_tenants_share_nothing() -> None:
    bench = Bench()
    made = [lead(1, "user_id:a", tenant=tenant, traits={"country": "DE"}) for tenant in ("acme", "acme", "other")]
    for item in made:
        bench.log.emit(LEADS, item.tenant, msgspec.msgpack.encode(item))
    bench.take(list(bench.log.take(LEADS)))
    bench.commit()
    reasons = [(action["tenant"], action["owner_reason"]) for action in bench.actions]
    part = "route dach: round robin in team north (3 of 4 shares)"
    assert reasons == [("acme", part), ("other", part)]
    assert {key.split(b"/")[0] for rows in bench.store.families.values() for key in rows} == {b"acme", b"other"}


def test_a_batch_is_counted_by_what_decided() -> None:
    metrics = m.Metrics()
    log = MemoryLog(SETTINGS.topic_prefix)
    context = Context(
        settings=SETTINGS, rules=RULES, codecs=Codecs(FileIds(), SETTINGS.topic_prefix), clock=lambda: 0,
        emit=log.emit, partition_of=lambda _key: 0, breaker=NO_BREAKER, metrics=metrics,
    )  # fmt: skip
    stage = ROUTE.build(context, 0, cast("PartitionStore", MemoryStore()))
    for number, country in enumerate(("DE", "DE", "FR")):
        made = lead(number, traits={"country": country})
        log.emit(LEADS, made.tenant, msgspec.msgpack.encode(made))
    stage.on_batch(LEADS.of(SETTINGS.topic_prefix), [*log.take(LEADS)])
    assert metrics.value(m.LEADS_ROUTED, "route", "dach") == 2
    assert metrics.value(m.LEADS_ROUTED, "catch_all", "") == 1
