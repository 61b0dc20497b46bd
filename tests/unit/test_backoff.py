"""Pauses between attempts grow, end somewhere, and begin anew after a healthy life."""

import doctest

from pipeline import backoff
from pipeline.backoff import HEALTHY_SECONDS, MAX_SECONDS, Backoff


def test_the_example_of_the_module_holds() -> None:
    assert doctest.testmod(backoff).failed == 0


def test_pauses_have_an_end_however_often_it_fails() -> None:
    pauses = Backoff()
    assert [pauses.failed(0.0) for _ in range(2000)][-1] == MAX_SECONDS
    assert pauses.failed(HEALTHY_SECONDS) == 0.0
