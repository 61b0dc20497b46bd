"""The commit interval by the cost of commits and by the backlog."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stream import pace
from pipeline.stream.pace import CommitPace

SHORTEST, LONGEST, BEHIND = 0.02, 0.15, 2.0
SECONDS = st.floats(0, 10)


def paced(share: float = 0.5, commit_seconds: float = 0.03, records_per_second: float = 10_000) -> CommitPace:
    """Returns the pace of a worker all of whose transactions take a second."""
    result = CommitPace(SHORTEST, LONGEST, BEHIND, share)
    result.committed(int(records_per_second), 1 - commit_seconds, commit_seconds)
    return result


def test_the_example_of_the_module_holds():
    assert doctest.testmod(pace).failed == 0


def test_a_worker_without_a_measured_commit_commits_as_often_as_it_may():
    assert CommitPace(SHORTEST, LONGEST, BEHIND, 0.5).interval(backlog=0) == SHORTEST
    assert CommitPace(SHORTEST, LONGEST, BEHIND, 0.5).interval(backlog=1_000_000) == SHORTEST


@pytest.mark.parametrize(("share", "interval"), [(0.5, 0.03), (0.25, 0.09), (0.9, SHORTEST), (0.1, LONGEST)])
def test_commits_take_their_share_of_the_time_within_the_limits(share, interval):
    assert paced(share).interval(backlog=0) == pytest.approx(interval)


@pytest.mark.parametrize(
    ("backlog", "interval"),
    [(1, 0.03), (299, 0.03), (300, 0.03), (600, 0.06), (10_000, 1.0), (20_000, BEHIND), (1_000_000, BEHIND)],
)
def test_the_interval_grows_only_as_far_as_the_backlog_demands(backlog, interval):
    assert paced().interval(backlog) == pytest.approx(interval)


@pytest.mark.parametrize("load", [0.5, 0.8, 0.95])
def test_a_stall_does_not_keep_a_worker_behind_that_has_time_to_spare(load):
    """Records arrive at a share of the worker's rate: after a stall, each interval leaves less for the next."""
    pace, backlog = paced(), 200_000.0
    for _ in range(2_000):
        seconds = pace.interval(int(backlog))
        backlog = max(0.0, backlog + load * 10_000 * seconds - 10_000 * seconds)
    assert pace.interval(int(backlog)) == pytest.approx(0.03)


def test_one_slow_commit_counts_for_a_fifth():
    pace = paced()
    pace.committed(1000, 0.1, 0.08)
    assert pace.interval(backlog=0) == pytest.approx(0.04)


@given(st.lists(st.tuples(st.integers(0, 100_000), SECONDS, SECONDS)), st.integers(0, 1 << 40), st.floats(0.01, 0.9))
def test_no_history_leads_out_of_the_limits(transactions, backlog, share):
    pace = CommitPace(SHORTEST, LONGEST, BEHIND, share)
    for transaction in transactions:
        pace.committed(*transaction)
    assert SHORTEST <= pace.interval(0) <= LONGEST
    assert SHORTEST <= pace.interval(backlog) <= BEHIND


def test_the_limits_may_be_given_in_any_order():
    assert CommitPace(5.0, LONGEST, 0.01, 0.5).interval(0) == LONGEST
