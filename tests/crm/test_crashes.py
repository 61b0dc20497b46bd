"""Kill -9 at every step of a delivery, and a storm of faults, kills and second runners: one object per lead.

The steps: before a request takes effect, after it, after its answer, before and after the commit that holds ledger row,
refusal and offset. A killed runner leaves the topics and the CRM as they are; the next one starts from them.

``CRM_LEADS=6250 STITCHLINE_SEEDS=1 pytest tests/crm/test_crashes.py`` sends about 10,000 actions.
"""

import os
import random
from collections import Counter
from typing import Any

import pytest

from connectors.crm.action_log import Commit
from connectors.crm.sink import SinkError
from pipeline.event.reason import Reason
from tests.crm import emulator as faults
from tests.crm.world import World, action
from tests.support.crm_log import MemoryActionLog, Stop

FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("STITCHLINE_SEEDS", "2")))
LEADS = int(os.environ.get("CRM_LEADS", "400"))
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
        runner = world.open(lambda log: CrashingLog(log, self._moment), **policy)
        world.crm.at_request = self._moment
        send = world.http._send
        world.http._send = lambda call, key: self._answered(send(call, key))  # type: ignore[method-assign]
        runner.run(Stop(world.clock), drain=True)

    def _moment(self, moment: str) -> None:
        self.moments.append(moment)
        self.at(moment)

    def _answered(self, answer: Any) -> Any:
        self._moment("answer")
        return answer


def workload(world: World) -> None:
    world.send(action(1), action(2), action(3, contact={"email": "x@y.invalid"}), action(1, 2))
    world.send(action(4), action(2, 2, kind="duplicate_of", duplicate_of=action(1)["action_id"]), partition=1)


def test_a_kill_at_any_step_of_a_delivery_leaves_one_object_per_lead():
    whole = Storm(World())
    workload(whole.world)
    whole.run()
    steps = len(whole.moments)
    assert set(whole.moments) == set(MOMENTS)

    for step in range(steps):
        storm = Storm(World())
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
        check(storm.world, f"killed at step {step}, {storm.moments[step]}")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_of_faults_kills_and_second_runners_leaves_one_object_per_lead(seed):
    chance = random.Random(seed)
    world = World()
    storm = Storm(world)
    numbers = [number for number in range(LEADS) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
    chance.shuffle(numbers)
    revisions: Counter[int] = Counter()
    for number in numbers:
        revisions[number] += 1
        contact = {"email": f"x{number}@y.invalid"} if number % 50 == 7 else {"email": f"c{number}@shop.example"}
        world.send(action(number, revisions[number], contact=contact), partition=number % 3)
    classes = [*faults.PASSING, faults.RIGHT_MISSING]
    world.crm.chance = lambda: chance.choice(classes) if chance.random() < 0.05 else ""
    storm.at = lambda moment: disturb(storm, chance, moment)

    for _ in range(100 * LEADS):
        try:
            storm.run(max_tries=40, batch_actions=chance.choice((20, 100, 250)), open_actions=chance.choice((50, 1000)))
            break
        except (Killed, SinkError):
            world.clock.sleep(chance.uniform(0, 60))
    check(world, f"STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest tests/crm/test_crashes.py")


def disturb(storm: Storm, chance: random.Random, moment: str) -> None:
    """Kills the runner, or lets a second one take over and work while the first is stopped."""
    luck = chance.random()
    if luck < min(0.01, 40 / LEADS):
        raise Killed(moment)
    if luck < min(0.015, 60 / LEADS) and moment != "send":
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
    """Exactly one object per lead, the highest revision on it, the order kept, and nothing in limbo."""
    highest: dict[str, dict[str, Any]] = {}
    for body in world.sent:
        if body["revision"] >= highest.get(body["action_id"], {"revision": 0})["revision"]:
            highest[body["action_id"]] = body
    leads = list(world.crm.leads().values())
    assert max(Counter(lead["action"] for lead in leads).values(), default=1) == 1, replay
    by_action = {lead["action"]: (name, lead) for name, lead in world.crm.leads().items()}
    rows = world.topics.newest()
    for action_id, body in highest.items():
        if body["contact"]["email"].endswith(".invalid"):
            assert world.quarantined[action_id][0] is Reason.SINK_REFUSED, replay
            assert action_id not in rows, replay
            continue
        if action_id not in by_action:
            assert (body["kind"], rows[action_id].object_id) == ("duplicate_of", ""), replay
            continue
        name, lead = by_action[action_id]
        assert lead["revision"] == str(body["revision"]) == str(rows[action_id].revision), replay
        assert rows[action_id].object_id == name, replay
        assert len(world.crm.stories(name)) == 1, replay
    assert world.crm.note_count() == len(by_action), replay
    reached: dict[str, float] = {}
    for name, _, score in world.crm.history:
        assert float(score) >= reached.get(name, 0.0), replay
        reached[name] = float(score)
    places = [(one.record.partition(), one.record.offset()) for one in world.topics.quarantine]
    assert len(set(places)) == len(places), replay
    for at, records in enumerate(world.topics.actions):
        assert not records or world.topics.positions[at].offset == len(records), replay
    assert {position.metadata for position in world.topics.positions.values()} <= {""}, replay
