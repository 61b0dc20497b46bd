"""A puller is killed at every step, and in seeded storms: each change is an event once."""

import os
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from connectors.crm.sink import SinkError
from connectors.sources.crm.pull_log import PullCommit
from tests.crm import emulator as faults
from tests.crm.journal_world import WORLDS, JournalWorld
from tests.crm.pull_world import PullWorld
from tests.support.crm_log import Stop
from tests.support.pull_log import MemoryPullLog

SEED = int(os.environ.get("STITCHLINE_SEED", "1"))
SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "8"))
ROUNDS = int(os.environ.get("PULL_ROUNDS", "12"))
READS = ("/search", "/batch/read", "/next", "/latest", ".json", "/token")
"""Ends of the paths of requests that may fail."""
STEPS = ("send", "sent", "before commit", "after commit")


class Killed(BaseException):
    """kill -9."""


class DoomedLog(MemoryPullLog):
    """A log whose process may be killed before and after each commit."""

    def __init__(self, inner: MemoryPullLog, at: "Doom") -> None:
        self.__dict__ = inner.__dict__
        self._at = at

    def commit(self, commit: PullCommit) -> None:
        self._at.reach("before commit")
        super().commit(commit)
        self._at.reach("after commit")


class Doom:
    """Decides at which moments the process is killed."""

    def __init__(self, kills: Iterator[bool], step: str = "") -> None:
        self._kills, self._step = kills, step
        self.count = 0

    def reach(self, moment: str) -> None:
        if self._step in ("", moment) and next(self._kills, False):
            self.count += 1
            raise Killed


def pull_all(world: PullWorld, doom: Doom) -> None:
    """Pulls with new processes until one of them gets to the end."""
    world.pass_time(60)
    world.crm.at_request = doom.reach
    while True:
        puller = world.open(lambda log: DoomedLog(log, doom))
        try:
            puller.start()
            while not puller.step(Stop(world.clock)):
                world.clock.sleep(30)
        except Killed:
            continue
        return


@pytest.fixture(params=WORLDS.values(), ids=WORLDS)
def world_of(request):
    return request.param


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_every_step_leaves_each_change_once(world_of, step):
    for nth in range(60):
        world = world_of(since_days=3)
        ann = world.hub.add_by_hand("c1@shop.example", first="Anna")
        deal = world.hub.put("deals", dealstage="won", amount="10", deal_currency_code="EUR", hs_is_closed_won="true")
        world.hub.link("deals", deal, "contacts", ann)
        doom = Doom(iter([False] * nth + [True]), step)
        pull_all(world, doom)
        happened = Counter(event.name or event.type for event in world.topics.take())
        assert happened == {"identify": 1, "Deal Created": 1, "Deal Won": 1}, (step, nth)
        if not doom.count:
            assert nth > 1, "the step was never reached"
            return
    pytest.fail("the step has no end")


@pytest.mark.parametrize("away_days", [0, 4])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_every_step_of_a_journal_leaves_each_change_once(step, away_days):
    for nth in range(80):
        world = JournalWorld(since_days=3)
        people = [world.hub.add_by_hand(f"c{number}@shop.example", first="x") for number in range(4)]
        world.pull()
        world.pass_time(3600)
        world.pull()
        world.pass_time(away_days * 86_400)
        world.hub.file_size = 1
        for person in people[:2]:
            world.hub.edit_by_hand(person, first="y")
        world.hub.remove("contacts", people[2])
        doom = Doom(iter([False] * nth + [True]), step)
        pull_all(world, doom)
        happened = Counter(event.name or event.type for event in world.topics.take())
        assert happened == {"identify": 2, "Contact Deleted": 1}, (step, nth)
        if not doom.count:
            assert nth > 1, "the step was never reached"
            return
    pytest.fail("the step has no end")


@pytest.mark.parametrize("seed", range(SEED, SEED + SEEDS))
def test_a_storm_of_edits_kills_and_faults_loses_and_repeats_nothing(world_of, seed):
    draw, world = random.Random(seed), world_of(since_days=3)
    people = [world.hub.add_by_hand(f"c{number}@shop.example", first="x") for number in range(20)]
    deals = [world.hub.put("deals", dealstage="s0", amount="1", deal_currency_code="EUR") for _ in range(10)]
    for deal in deals:
        world.hub.link("deals", deal, "contacts", draw.choice(people))
    doom = Doom(draw.random() < 0.02 for _ in iter(int, 1))
    world.crm.chance = lambda: draw.choice([faults.SLOW_DOWN, faults.UNAVAILABLE]) if draw.random() < 0.05 else ""
    world.crm.is_write = lambda request: request.url.path.endswith(READS)
    pull_all(world, doom)
    world.topics.take()
    for turn in range(1, ROUNDS + 1):
        expected: Counter[tuple[str, str]] = Counter()
        for person in draw.sample(people, 5):
            world.hub.edit_by_hand(person, phone=f"+4930901{turn:04d}")
            if draw.random() < 0.3:  # the sink wrote this one
                world.sink_wrote(person, phone=f"+4930901{turn:04d}")
            else:
                expected[person, f"+4930901{turn:04d}"] += 1
        for deal in draw.sample(deals, 4):
            world.hub.put("deals", deal, dealstage=f"s{turn}")
            expected[deal, f"s{turn}"] += 1
        pull_all(world, doom)
        seen = Counter(
            (event.properties["deal_id"], event.properties["stage"])
            if event.type == "track"
            else (event.identifiers[0].partition(":")[2], event.traits["phone"])
            for event in world.topics.take()
        )
        assert seen == expected, f"STITCHLINE_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__}"
    assert doom.count, "nothing was killed"


def test_two_pullers_at_once_report_each_change_once(world_of):
    world = world_of()
    for number in range(50):
        world.hub.add_by_hand(f"c{number}@shop.example", first="x")
    world.pass_time(60)
    pullers = [world.open() for _ in range(2)]
    for puller in pullers:
        puller.start()
    with pytest.raises(SinkError):
        pullers[0].step(Stop(world.clock))
    pullers[1].step(Stop(world.clock))
    assert len(world.topics.take()) == 50
