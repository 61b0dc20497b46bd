"""Kill -9 at every step of a delivery, and a storm of faults, kills and second runners: one object per lead.

The steps: before a request takes effect, after it, after its answer, before and after the commit that holds ledger row,
refusal and offset. A killed runner leaves the topics and the CRM as they are; the next one starts from them.

``CRM_LEADS=6250 CRM_FAULTS=0.05 STITCHLINE_SEEDS=1 pytest tests/crm/test_crashes.py -k storm`` sends about 10,000
actions to each CRM.
"""

import os

import pytest

from connectors.crm import runner
from tests.crm.emulators import KINDS
from tests.crm.storm import Storm, check, run_storm
from tests.crm.world import World, action

FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("STITCHLINE_SEEDS", "1")))
MOMENTS = ("send", "sent", "answer", "commit", "committed")


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
    assert set(whole.moments) == set(MOMENTS)

    for step in range(len(whole.moments)):
        storm = Storm(World(kind))
        workload(storm.world)
        storm.run_killed_at(step)
        check(storm.world, f"{kind} killed at step {step}, {storm.moments[step]}")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_storm_of_faults_kills_and_second_runners_leaves_one_object_per_lead(kind, seed):
    run_storm(kind, seed)
