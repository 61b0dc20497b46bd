"""The commit interval by the cost of commits, by the load and by the backlog."""

import doctest
import itertools
import math
import random
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stream import pace
from pipeline.stream.pace import IDLE_SHARE, CommitPace

SHORTEST, LONGEST, BEHIND = 0.02, 0.15, 2.0
SECONDS = st.floats(0, 10)
LOADS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99)


def new_pace() -> CommitPace:
    return CommitPace(SHORTEST, LONGEST, BEHIND)


def paced(load: float, commit_seconds: float = 0.03, records_per_second: float = 10_000) -> CommitPace:
    """Returns the pace of a worker all of whose transactions took a second, of which ``load`` was work."""
    result = new_pace()
    records = round(records_per_second * (load + commit_seconds))
    result.committed(records, load, commit_seconds, 1.0)
    return result


def test_the_example_of_the_module_holds():
    assert doctest.testmod(pace).failed == 0


def test_a_worker_without_a_measured_commit_commits_as_often_as_it_may():
    assert new_pace().interval(backlog=0) == SHORTEST
    assert new_pace().interval(backlog=1_000_000) == SHORTEST


@pytest.mark.parametrize("load", [0.4, 0.5, 0.7])
def test_commits_take_their_part_of_the_time_that_records_leave(load):
    interval = paced(load).interval(backlog=0)
    assert 0.03 / (interval + 0.03) == pytest.approx(IDLE_SHARE * (1 - load))


@pytest.mark.parametrize(("load", "interval"), [(0.0, SHORTEST), (0.1, SHORTEST), (0.95, LONGEST), (1.0, LONGEST)])
def test_the_interval_keeps_its_limits(load, interval):
    assert paced(load).interval(backlog=0) == interval


@pytest.mark.parametrize(
    ("backlog", "interval"),
    [(1, 0.0366), (366, 0.0366), (600, 0.06), (10_000, 1.0), (20_000, BEHIND), (1_000_000, BEHIND)],
)
def test_the_interval_grows_only_as_far_as_the_backlog_demands(backlog, interval):
    assert paced(0.5).interval(backlog) == pytest.approx(interval, rel=0.01)


def test_one_slow_commit_counts_for_a_fifth():
    paced_twice = paced(0.5)
    paced_twice.committed(1000, 0.5, 0.08, 1.0)
    assert paced_twice.interval(backlog=0) == pytest.approx(paced(0.5, commit_seconds=0.04).interval(backlog=0))


def test_an_idle_hour_is_forgotten_after_a_few_transactions():
    result = paced(0.7)
    result.committed(1, 0.0001, 0.03, 3600.0)
    for _ in range(20):
        result.committed(1400, 0.14, 0.03, 0.2)
    assert result.load == pytest.approx(0.7, abs=0.07)


@given(st.lists(st.tuples(st.integers(0, 100_000), SECONDS, SECONDS, SECONDS)), st.integers(0, 1 << 40))
def test_no_history_leads_out_of_the_limits(transactions, backlog):
    result = new_pace()
    for transaction in transactions:
        result.committed(*transaction)
    assert SHORTEST <= result.interval(0) <= LONGEST
    assert SHORTEST <= result.interval(backlog) <= BEHIND
    assert 0 <= result.load <= 1


def test_the_limits_may_be_given_in_any_order():
    assert CommitPace(5.0, LONGEST, 0.01).interval(0) == LONGEST


# A worker as a queue


class Costs(NamedTuple):
    """What a transaction costs, by its number of records."""

    work_seconds: float
    """Of one record."""
    commit_seconds: float
    """Of a commit without records."""
    row_seconds: float
    """Of one changed row in a commit."""
    rows: float
    """Rows that records change at random. The more of them one transaction changes, the more changes are merged."""

    def commit(self, records: float) -> float:
        """Returns the seconds of a commit."""
        return self.commit_seconds + self.row_seconds * self.rows * -math.expm1(-records / self.rows)

    def least_cycle(self, rate: float) -> float:
        """Returns the cycle of a worker that never rests: the time that the work and the commit of its arrivals take.

        Below capacity there is one, because a cycle's cost is concave in its length and positive at 0.
        """
        low, high = 0.0, 1e6
        for _ in range(200):
            middle = (low + high) / 2
            arrivals = rate * middle
            if arrivals * self.work_seconds + self.commit(arrivals) > middle:
                low = middle
            else:
                high = middle
        return high


COSTS = [
    Costs(work_seconds=150e-6, commit_seconds=0.010, row_seconds=20e-6, rows=1e9),
    Costs(work_seconds=150e-6, commit_seconds=0.030, row_seconds=40e-6, rows=1e9),
    Costs(work_seconds=150e-6, commit_seconds=0.060, row_seconds=20e-6, rows=1e9),
    Costs(work_seconds=100e-6, commit_seconds=0.030, row_seconds=150e-6, rows=1_000),
]
"""Like the commits in ADR 19; in the last one, long transactions merge most changes."""
LARGE_FETCH = 500
"""Records that must wait before the poller reports a backlog."""


def cycles(costs: Costs, rate: float, backlog: float, number: int, noise: Callable[[], float]) -> list[float]:
    """Returns the lengths of a worker's transactions, with their commits, at a rate of arrivals.

    The worker takes records until the interval is over, and everything that waited at its start.
    """
    paced_by, waiting, lengths = new_pace(), backlog, []
    for _ in range(number):
        interval = paced_by.interval(int(waiting) if waiting >= LARGE_FETCH else 0)
        records = max(min(waiting + rate * interval, interval / costs.work_seconds), waiting)
        work = records * costs.work_seconds * noise()
        length = max(interval, work)
        commit = costs.commit(records) * noise()
        waiting = max(0.0, waiting + rate * (length + commit) - records)
        paced_by.committed(round(records), work, commit, length + commit)
        lengths.append(length + commit)
    return lengths


def capacity(costs: Costs) -> float:
    """Returns the records per second above which the backlog of every worker grows."""
    return 1 / (costs.work_seconds + (costs.row_seconds if costs.rows >= 1e9 else 0))


def steady(costs: Costs, load: float, backlog: float = 0, seed: int | None = None) -> float:
    """Returns the mean length of the last transactions of many."""
    chance = random.Random(seed)
    noise = (lambda: 1.0) if seed is None else lambda: chance.lognormvariate(-0.08, 0.4)
    return sum(cycles(costs, load * capacity(costs), backlog, 1_500, noise)[-200:]) / 200


@pytest.mark.parametrize("costs", COSTS)
def test_below_capacity_a_transaction_is_at_most_a_third_longer_than_the_least(costs):
    for load in LOADS:
        rate = load * capacity(costs)
        shortest = SHORTEST + costs.commit(rate * SHORTEST * 3)
        assert steady(costs, load) <= 1.34 * max(costs.least_cycle(rate), shortest), f"at load {load}"


@pytest.mark.parametrize("costs", COSTS)
def test_the_latency_rises_with_the_load_and_never_jumps(costs):
    """Three hops take two and a half transactions on average."""
    latencies = [2.5 * steady(costs, load) for load in LOADS]
    for (load, latency), (next_load, following) in itertools.pairwise(zip(LOADS, latencies, strict=True)):
        assert following >= latency * 0.99, f"from load {load} to {next_load}"
        assert following <= latency * 2.2 * (1 - load) / (1 - next_load), f"from load {load} to {next_load}"


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("load", LOADS[:-1])
def test_no_stall_keeps_a_worker_behind_that_has_time_to_spare(costs, load):
    assert steady(costs, load, backlog=200_000) == pytest.approx(steady(costs, load), rel=0.05)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("load", [0.05, 0.5, 0.8])
def test_a_worker_whose_costs_vary_comes_back_too(seed, load):
    costs = COSTS[1]
    assert steady(costs, load, backlog=50_000, seed=seed) <= 1.7 * steady(costs, load)
