"""The schedule is a function of the plan: the same seed, the same faults at the same times."""

import pytest

from pipeline.chaos.plan import Kind, Plan
from pipeline.chaos.schedule import CLOCK_STEPS_SECONDS, QUIET_SHARE, schedule

EVERY_KIND = dict.fromkeys(Kind, 3)


def test_the_same_seed_gives_the_same_faults_and_another_seed_gives_others():
    plan = Plan(seed=5, counts=EVERY_KIND)
    assert schedule(plan) == schedule(plan)
    assert schedule(plan) != schedule(Plan(seed=6, counts=EVERY_KIND))


def test_each_kind_comes_as_often_as_planned_and_within_the_load():
    plan = Plan(seconds=100, counts={Kind.KILL: 7, Kind.BROKER: 2})
    faults = schedule(plan)
    kinds = [fault.kind for fault in faults]
    assert {kind: kinds.count(kind) for kind in Kind if kind in kinds} == plan.counts
    times = [fault.at_seconds for fault in faults]
    assert times == sorted(times)
    assert times[0] >= 100 * QUIET_SHARE
    assert times[-1] <= 100


def test_a_plan_without_faults_has_an_empty_schedule():
    assert schedule(Plan(counts={})) == []


def test_brokers_are_away_for_the_planned_times_in_turn():
    faults = schedule(Plan(counts={Kind.BROKER: 3}, away_seconds=(3, 22)))
    assert sorted(fault.lasts_seconds for fault in faults) == [3, 3, 22]


@pytest.mark.parametrize("seed", range(5))
def test_a_zombie_stands_still_for_longer_than_its_session(seed):
    faults = schedule(Plan(seed=seed, counts={Kind.ZOMBIE: 4}, session_timeout_ms=6000))
    assert all(fault.lasts_seconds > 6 for fault in faults)


def test_clocks_are_set_forward_and_back():
    amounts = {fault.amount for fault in schedule(Plan(counts={Kind.CLOCK: 4}))}
    assert amounts == set(CLOCK_STEPS_SECONDS)
