"""How long a record waits is counted from when the end was first seen behind it."""

import doctest

from pipeline.kafka import waiting
from pipeline.kafka.waiting import MAX_LOOKS, WaitingRecords


def test_the_example_of_the_module_holds() -> None:
    assert doctest.testmod(waiting).failed == 0


def test_a_worker_that_keeps_up_shows_no_age_however_long_it_runs() -> None:
    records = WaitingRecords[str]()
    ages = [records.observe("p", position=10 * n, end=10 * n + 10, now_seconds=2.0 * n) for n in range(1000)]
    assert max(ages) <= 2.0


def test_an_unread_partition_grows_older_at_any_rate_of_writing() -> None:
    records = WaitingRecords[str]()
    looks = 5 * MAX_LOOKS
    for n in range(looks):
        age = records.observe("p", position=0, end=n + 1, now_seconds=float(n))
    assert age == looks - 1


def test_what_was_passed_no_longer_counts() -> None:
    records = WaitingRecords[str]()
    records.observe("p", position=0, end=5, now_seconds=0.0)
    records.observe("p", position=0, end=9, now_seconds=50.0)
    assert records.observe("p", position=7, end=9, now_seconds=60.0) == 10.0
    assert records.observe("p", position=9, end=9, now_seconds=61.0) == 0.0
