"""A storm over one CRM sink: faults of every class, kills at random moments, and second runners that take over.

The workload is made so that a lost write matters. Revisions of one action lie on different partitions, and each runner
meets the partitions in another order, so that an earlier revision is often read after a later one, or after a later one
that reached the CRM but no commit.
"""

import os
import random
from collections import Counter
from itertools import count
from typing import Any

import pytest

from connectors.crm.action_log import Commit
from connectors.crm.sink import SinkError
from pipeline.event.reason import Reason
from tests.crm import emulator as faults
from tests.crm.world import World, action
from tests.support.crm_log import MemoryActionLog, Stop

FAULTS = float(os.environ.get("CRM_FAULTS", "0.15"))
"""Share of the write requests that meet a fault."""
LEADS = int(os.environ.get("CRM_LEADS", "300"))
OPEN_ACTIONS = (10, 20, 50)
"""Few, so that a runner does not see that a later revision waits on another partition."""
BATCH_ACTIONS = (3, 20, 20)
KILLS = {"send": 0.02, "sent": 0.06, "answer": 0.06, "commit": 0.12, "committed": 0.02}
"""Moment → chance of a kill, with up to 300 leads. The worst moments are those after a write and before its commit."""
TAKEOVERS = 0.02


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

    def run_killed_at(self, step: int) -> None:
        """Kills one runner at a step of its run, and lets the next one deliver everything."""
        steps = count()

        def kill(moment: str) -> None:
            if next(steps) == step:
                raise Killed(moment)

        self.at = kill
        with pytest.raises(Killed):
            self.run()
        self.at = lambda _moment: None
        self.run()

    def take_over(self, steps: int, **policy: Any) -> None:
        """Lets a second runner take over and work for some steps, while the first is stopped."""
        quiet, self.at = self.at, lambda _moment: None
        stopped = self.world.http
        try:
            second = self.world.open(**policy)
            second.run(Stop(self.world.clock, steps))
        except SinkError:
            pass  # a right is missing: the second runner stops
        finally:
            self.at, self.world.http = quiet, stopped
        self.world.clock.sleep(2)

    def _moment(self, moment: str) -> None:
        self.moments.append(moment)
        self.at(moment)

    def _answered(self, answer: Any) -> Any:
        self._moment("answer")
        return answer


def run_storm(kind: str, seed: int, leads: int = LEADS) -> None:
    """Sends the workload through a storm, and checks what the CRM and the topics hold."""
    chance = random.Random(seed)
    world = World(kind)
    storm = Storm(world)
    send_workload(world, chance, leads)
    classes = [*faults.PASSING, faults.RIGHT_MISSING]
    world.crm.chance = lambda: chance.choice(classes) if chance.random() < FAULTS else ""
    storm.at = lambda moment: disturb(storm, chance, moment, leads)

    for _ in range(100 * leads):
        try:
            storm.run(max_tries=40, **_limits(chance))
            break
        except (Killed, SinkError):
            world.clock.sleep(chance.uniform(0, 60))
    check(world, f"STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest tests/crm/test_crashes.py -k {kind}")


def _limits(chance: random.Random) -> dict[str, int]:
    return {"batch_actions": chance.choice(BATCH_ACTIONS), "open_actions": chance.choice(OPEN_ACTIONS)}


def send_workload(world: World, chance: random.Random, leads: int) -> None:
    """About 1.9 actions for each lead: revisions, and second actions of a customer, whose object they share.

    Half of the leads may have a second action; all their records are on one partition, in order. The revisions of the
    others are on different partitions, as after merges of the customer, so that a later one may be read first.
    """
    records = [
        number for number in range(leads) for _ in range(3 if number % 4 == 1 else chance.choice((1, 1, 1, 2, 3)))
    ]
    chance.shuffle(records)
    revisions: Counter[int] = Counter()
    order: Counter[int] = Counter()
    for number in records:
        order[number] += 1
        second = number % 2 == 0 and chance.random() < 0.5
        action_number = number + leads if second else number
        revisions[action_number] += 1
        email = f"x{number}@y.invalid" if number % 16 == 7 else f"c{number}@shop.example"
        world.send(
            action(
                action_number, revisions[action_number], contact={"email": email}, profile_id=f"p{number}",
                score=float(order[number]),
            ),
            partition=number % 3 if number % 2 == 0 else _spread(number, order[number]),
        )  # fmt: skip


def _spread(number: int, revision: int) -> int:
    """Returns the partition of a revision: three in a row are on three partitions, in one of their two orders."""
    return (number // 4 + revision * (1 + number // 4 % 2)) % 3


def disturb(storm: Storm, chance: random.Random, moment: str, leads: int) -> None:
    """Kills the runner, or lets a second one take over and work while the first is stopped."""
    luck = chance.random() / min(1.0, 300 / leads)
    if luck < KILLS[moment]:
        raise Killed(moment)
    if luck < KILLS[moment] + TAKEOVERS and moment != "send":
        limits = _limits(chance)
        storm.take_over(chance.randrange(1, 200), **limits)


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
