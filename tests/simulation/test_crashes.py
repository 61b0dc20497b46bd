"""The three stages on workers that die at every step: nothing lost, nothing counted twice.

Workers die before and after each record, flush, offset commit, transaction commit and state write, at revocation, and
during a restore. ``oracle.py`` computes the expected result from the events alone.
"""

import pytest

from tests.simulation.fault_profiles import CRASHES, blocks, run_worlds, shared

__all__ = ["shared"]


@pytest.mark.parametrize("seeds", blocks(), ids=str)
def test_every_event_counts_once_though_workers_die_at_every_step(seeds):
    run_worlds(seeds, CRASHES, __file__)
