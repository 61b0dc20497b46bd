"""Kill -9 at every step of a delivery, and a storm of faults, kills and second runners: one object per lead.

The steps: before a request takes effect, after it, after its answer, before and after the commit that holds ledger row,
refusal and offset. A killed runner leaves the topics and the CRM as they are; the next one starts from them.

``CRM_LEADS=6250 CRM_FAULTS=0.05 STITCHLINE_SEEDS=1 pytest tests/crm/test_crashes.py -k storm`` sends about 10,000
actions to each CRM.
"""

import os
import random
from collections import Counter
from typing import Any

import pytest

from connectors.crm import runner
from connectors.crm.action_log import Commit
from connectors.crm.sink import SinkError
from pipeline.event.reason import Reason
from tests.crm import emulator as faults
from tests.crm.emulators import KINDS
from tests.crm.world import World, action
from tests.support.crm_log import MemoryActionLog, Stop

FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("STITCHLINE_SEEDS", "1")))
FAULTS = float(os.environ.get("CRM_FAULTS", "0.15"))
"""Share of the write requests that meet a fault."""
LEADS = int(os.environ.get("CRM_LEADS", "300"))
MOMENTS = ("send", "sent", "answer", "commit", "committed")


class Killed(Exception):  # noqa: N818
    """The process is gone."""


class CrashingLog:
    """A log that passes every commit through ``at``."""

    def __init__(self, log: MemoryActionLog, at: Any) -> None:
        self._log, self._at = log, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def commit(self, commit: Commit) -> None:
        self._at("commit")
        self._log.commit(commit)
        self._at("committed")


class Storm:
    """A world whose runners may be killed at every moment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.moments: list[str] = []
        self.at = lambda _moment: None

    def run(self, **policy: Any) -> None:
        """One runner, until it has delivered everything, or is killed or shut out."""
        world = self.world
        opened = world.open(lambda log: CrashingLog(log, self._moment), **policy)
        world.crm.at_request = self._moment
        send = world.http._send
        world.http._send = lambda call, key: self._answered(send(call, key))  # type: ignore[method-assign]
        opened.run(Stop(world.clock, 10_000_000), drain=True)

    def _moment(self, moment: str) -> None:
        self.moments.append(moment)
        self.at(moment)

    def _answered(self, answer: Any) -> Any:
        self._moment("answer")
        return answer


@pytest.fixture(autouse=True)
def _long_polls(monkeypatch):
    """An idle runner polls every 10 s of emulated time, so that a pause of an hour costs no thousands of steps."""
    monkeypatch.setattr(runner, "POLL_SECONDS", 10.0)


def workload(world: World) -> None:
    world.send(action(1), action(2), action(3, contact={"email": "x@y.invalid"}), action(1, 2))
    world.send(action(4), action(2, 2, kind="duplicate_of", duplicate_of=action(1)["action_id"]), partition=1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_step_of_a_delivery_leaves_one_object_per_lead(kind):
    whole = Storm(World(kind))
    workload(whole.world)
    whole.run()
    steps = len(whole.moments)
    assert set(whole.moments) == set(MOMENTS)

    for step in range(steps):
        storm = Storm(World(kind))
        workload(storm.world)
        left = iter(range(steps + 1))

        def kill(moment: str, left: Any = left, step: int = step) -> None:
            if next(left, None) == step:
                raise Killed(moment)

        storm.at = kill
        with pytest.raises(Killed):
            storm.run()
        storm.at = lambda _moment: None
        storm.run()
        check(storm.world, f"{kind} killed at step {step}, {storm.moments[step]}")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_storm_of_faults_kills_and_second_runners_leaves_one_object_per_lead(kind, seed):
    chance = random.Random(seed)
    world = World(kind)
    storm = Storm(world)
    send_workload(world, chance)
    classes = [*faults.PASSING, faults.RIGHT_MISSING]
    world.crm.chance = lambda: chance.choice(classes) if chance.random() < FAULTS else ""
    storm.at = lambda moment: disturb(storm, chance, moment)

    for _ in range(100 * LEADS):
        try:
            storm.run(max_tries=40, batch_actions=chance.choice((3, 20, 100)), open_actions=chance.choice((50, 1000)))
            break
        except (Killed, SinkError):
            world.clock.sleep(chance.uniform(0, 60))
    check(world, f"STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest tests/crm/test_crashes.py -k {kind}")


def send_workload(world: World, chance: random.Random) -> None:
    """About 1.6 actions for each lead: revisions, and second actions of a customer, whose object they share.

    Half of the leads may have a second action; all their records are on one partition, in order. The revisions of the
    others may be on different partitions, as after merges of the customer, so that a later one may be read first.
    """
    records = [number for number in range(LEADS) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    chance.shuffle(records)
    revisions: Counter[int] = Counter()
    order: Counter[int] = Counter()
    for number in records:
        order[number] += 1
        second = number % 2 == 0 and chance.random() < 0.5
        action_number = number + LEADS if second else number
        revisions[action_number] += 1
        email = f"x{number}@y.invalid" if number % 16 == 7 else f"c{number}@shop.example"
        world.send(
            action(
                action_number, revisions[action_number], contact={"email": email}, profile_id=f"p{number}",
                score=float(order[number]),
            ),
            partition=number % 3 if number % 2 == 0 else chance.randrange(3),
        )  # fmt: skip


def disturb(storm: Storm, chance: random.Random, moment: str) -> None:
    """Kills the runner, or lets a second one take over and work while the first is stopped."""
    luck = chance.random()
    if luck < min(0.04, 40 / LEADS):
        raise Killed(moment)
    if luck < min(0.05, 60 / LEADS) and moment != "send":
        quiet, storm.at = storm.at, lambda _moment: None
        stopped = storm.world.http
        try:
            second = storm.world.open()
            second.run(Stop(storm.world.clock, chance.randrange(1, 200)))
        except SinkError:
            pass  # a right is missing: the second runner stops
        finally:
            storm.at, storm.world.http = quiet, stopped
        storm.world.clock.sleep(2)


def check(world: World, replay: str) -> None:
    """One object per lead, the newest state on it, the order kept, each record settled once, and nothing in limbo."""
    highest: dict[str, dict[str, Any]] = {}
    for body in world.sent:
        if body["revision"] >= highest.get(body["action_id"], {"revision": 0})["revision"]:
            highest[body["action_id"]] = body
    refused = {name for name, body in highest.items() if body["contact"]["email"].endswith(".invalid")}
    rows, objects, crm = world.topics.newest(), world.crm.leads(), world.crm
    of_profile = Counter(lead["profile"] for lead in objects.values())
    assert max(of_profile.values(), default=1) == 1, replay
    notes: Counter[str] = Counter()
    for action_id, body in highest.items():
        if action_id in refused:
            assert world.quarantined[action_id][0] is Reason.SINK_REFUSED, replay
            assert action_id not in rows, replay
            continue
        row = rows[action_id]
        assert row.revision == body["revision"], replay
        if not row.object_id:
            assert body["kind"] == "duplicate_of", replay
            continue
        notes[row.object_id] += 1
        lead = objects[row.object_id]
        assert lead["profile"] == body["profile_id"], replay
        if lead["action"] == action_id:
            assert lead["revision"] == str(body["revision"]), replay
    for name, lead in objects.items():
        newest = max(body["score"] for body in highest.values() if body["profile_id"] == lead["profile"])
        assert float(lead["score"]) == newest, replay
        assert len(crm.stories(name)) == notes[name], replay
    assert crm.note_count() == notes.total(), replay
    check_order(world, replay)


def check_order(world: World, replay: str) -> None:
    """No object's score went backwards, no record is quarantined twice, and each record is settled."""
    reached: dict[str, float] = {}
    for name, _, score in world.crm.history:
        assert float(score) >= reached.get(name, 0.0), replay
        reached[name] = float(score)
    places = [(one.record.partition(), one.record.offset()) for one in world.topics.quarantine]
    assert len(set(places)) == len(places), replay
    for at, records in enumerate(world.topics.actions):
        assert not records or world.topics.positions[at].offset == len(records), replay
    assert {position.metadata for position in world.topics.positions.values()} <= {""}, replay
