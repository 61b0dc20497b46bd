"""Random histories of profiles with lost answers, kills, restarts and second runners end as a naive fold does.

The fold knows nothing of ledgers and deliveries: it takes the newest state of each profile and states what each record
of the CRM has to hold.

``SYNC_CUSTOMERS=2000 STITCHLINE_SEEDS=3 pytest tests/crm/test_sync_crashes.py -k storm`` runs longer histories.
"""

import os
import random
from typing import Any

import pytest

from connectors.crm import runner
from connectors.crm.sink import SinkError
from tests.crm import emulator as faults
from tests.crm.emulators import KINDS
from tests.crm.storm import Killed, Storm
from tests.crm.sync_world import BLANK, SyncWorld
from tests.crm.test_crashes import MOMENTS, SEEDS
from tests.crm.world import action

CUSTOMERS = int(os.environ.get("SYNC_CUSTOMERS", "120"))
FAULTS = 0.15
MAX_DISTURBED = 10 * CUSTOMERS
"""Steps after which runners are left alone, so that the last one comes to an end."""
SEGMENTS = ("vip", "buyers", "others")


@pytest.fixture(autouse=True)
def _long_polls(monkeypatch):
    monkeypatch.setattr(runner, "POLL_SECONDS", 10.0)


class History:
    """Publishes random states, and remembers the newest of each profile."""

    def __init__(self, world: SyncWorld, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.newest: dict[str, dict[str, Any] | None] = {}
        self.leads: set[int] = set()

    def step(self) -> None:
        """One event: a state, a merge or its undoing, an end, a lead, or an old record that arrives again."""
        number, luck = self.chance.randrange(CUSTOMERS), self.chance.random()
        name = f"p{number}"
        if luck < 0.15 and number % 4 != 3:  # of four customers, one never has a record of its own
            self.leads.add(number)
            self.world.send(action(number), partition=number % 3)
        elif luck < 0.25 and number % 2 == 0:
            self.publish(name, status="merged", merged_into=f"p{number + 1}")
        elif luck < 0.34:
            self.publish(name, status=self.chance.choice(("empty", None)))
        elif luck < 0.40 and self.world.topics.updates:
            self._again()
        else:
            self.publish(name, **self._state())

    def publish(self, name: str, **fields: Any) -> None:
        self.newest[name] = fields if fields.get("status", "active") is not None else None
        if fields.get("status", "") is None and name not in self.world.versions:
            self.newest.pop(name)
            return
        self.world.publish(name, **fields)

    def _again(self) -> None:
        """An older record of a profile is read again, as after a failed compaction or a foreign producer."""
        record = self.chance.choice(self.world.topics.updates)
        if record.value() is not None and self.newest.get((record.key() or b"").decode()) is not None:
            self.world.topics.publish((record.key() or b"").decode(), record.value())

    def _state(self) -> dict[str, Any]:
        segments = sorted(self.chance.sample(SEGMENTS, self.chance.randrange(4)))
        state: dict[str, Any] = {"segments": segments}
        if self.chance.random() < 0.8:
            state["scores"] = {"engagement": float(self.chance.randrange(100))}
        if self.chance.random() < 0.7:
            state["traits"] = {"plan": self.chance.choice(("gold", "silver"))}
        return state

    def wanted(self, number: int) -> dict[str, Any]:
        """What the record of an action has to hold."""
        name = self._survivor(f"p{number}")
        state = self.newest.get(name)
        if name != f"p{number}" and int(name[1:]) in self.leads:
            return BLANK
        if state is None or state.get("status", "active") != "active":
            return BLANK
        return {
            "vip": "vip" in state["segments"],
            "listed": ";".join(one for one in ("vip", "buyers") if one in state["segments"]),
            "warmth": state.get("scores", {}).get("engagement"),
            "plan": state.get("traits", {}).get("plan", ""),
        }

    def _survivor(self, name: str) -> str:
        for _ in range(CUSTOMERS):
            state = self.newest.get(name)
            if state is None or state.get("status") != "merged":
                return name
            name = state["merged_into"]
        return name


def check(history: History, replay: str) -> None:
    """Every record holds what the fold says, nothing is quarantined, and a further run writes nothing."""
    world = history.world
    assert world.topics.quarantine == [], replay
    assert len(world.crm.leads()) == len(history.leads), replay
    for number in sorted(history.leads):
        assert world.lead_values(number) == history.wanted(number), (number, replay)
    world.crm.chance = str
    world.crm.at_request = lambda _moment: None
    calls = len(world.crm.calls)
    world.run()
    assert world.writes(calls) == 0, replay


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_step_leaves_the_values_of_the_fold(kind):
    def started() -> tuple[Storm, History]:
        world = SyncWorld(kind)
        history = History(world, random.Random(5))
        for number in (1, 2, 4):
            history.leads.add(number)
            world.send(action(number))
        for _ in range(2 * CUSTOMERS):
            history.step()
        return Storm(world), history

    whole, _ = started()
    whole.run()
    assert set(whole.moments) == set(MOMENTS)
    for step in range(0, len(whole.moments), 3 if kind == "hubspot" else 11):
        storm, history = started()
        storm.run_killed_at(step)
        check(history, f"{kind} killed at step {step}, {whole.moments[step]}")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_storm_of_faults_kills_and_second_runners_ends_as_the_fold(kind, seed):
    chance = random.Random(seed)
    world = SyncWorld(kind, every_seconds=chance.choice((0, 5)))
    storm, history = Storm(world), History(world, chance)
    world.crm.chance = lambda: chance.choice(faults.PASSING) if chance.random() < FAULTS else ""
    storm.at = lambda moment: disturb(storm, history, moment)
    for _ in range(3 * CUSTOMERS):
        history.step()
    for _ in range(100 * CUSTOMERS):
        try:
            storm.run(max_tries=40, batch_actions=chance.choice((3, 20, 100)))
            break
        except (Killed, SinkError):
            world.clock.sleep(chance.uniform(0, 60))
    check(history, f"STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__} -k 'storm and {kind}'")


def disturb(storm: Storm, history: History, moment: str) -> None:
    """Lets something happen to the profiles, kills the runner, or lets a second one take over."""
    chance, events = history.chance, len(history.world.topics.updates)
    if events < 10 * CUSTOMERS:
        for _ in range(chance.randrange(CUSTOMERS // 4)):
            history.step()
    luck = chance.random() if len(storm.moments) < MAX_DISTURBED else 1.0
    if luck < 0.04:
        raise Killed(moment)
    if luck < 0.06 and moment != "send":
        storm.take_over(chance.randrange(1, 60))
