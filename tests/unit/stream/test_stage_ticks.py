"""Stages are ticked from the moment they are restored on, whatever they have seen until then."""

import pytest

from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import PASSES, Simulation


@pytest.mark.parametrize("clock", ["stream", "wall"])
def test_nothing_is_due_before_the_first_event_by_either_clock(clock):
    simulation = Simulation(Settings(clock=clock), load_rules(), lambda: 1_800_000_000_000)
    assert [simulation.stages[spec.name].tick() for spec in PASSES] == [0] * len(PASSES)
    assert simulation.newest_ms() == 0
