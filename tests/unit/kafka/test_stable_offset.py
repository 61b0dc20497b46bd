"""A stable offset that does not move is distinguished from one that moves slowly."""

import doctest

from pipeline.kafka import stable_offset
from pipeline.kafka.stable_offset import StuckOffsets


def test_the_example_of_the_module_holds() -> None:
    assert doctest.testmod(stable_offset).failed == 0


def test_an_offset_that_moves_begins_anew_even_while_a_transaction_is_always_open() -> None:
    probe = StuckOffsets[str]()
    for second in range(100):
        assert probe.observe({"p": second}, {"p": second + 3}, now_seconds=float(second)) == {"p": 0.0}


def test_a_partition_that_did_not_answer_keeps_its_age() -> None:
    probe = StuckOffsets[str]()
    probe.observe({"p": 1}, {"p": 2}, now_seconds=0.0)
    assert probe.observe({}, {"p": 2}, now_seconds=10.0) == {}
    assert probe.observe({"p": 1}, {"p": 2}, now_seconds=20.0) == {"p": 20.0}


def test_a_partition_that_came_back_after_it_was_forgotten_begins_anew() -> None:
    probe = StuckOffsets[str]()
    probe.observe({"p": 1}, {"p": 2}, now_seconds=0.0)
    probe.forget_all_but(["q"])
    assert probe.observe({"p": 1}, {"p": 2}, now_seconds=20.0) == {"p": 0.0}
