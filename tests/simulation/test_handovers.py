"""The stages while partitions move: workers pause, are presumed dead, are replaced, and continue.

As ``test_crashes.py``, with rebalances in place of most crashes.
"""

import pytest

from tests.simulation.fault_profiles import HANDOVERS, blocks, run_worlds, shared

__all__ = ["shared"]


@pytest.mark.parametrize("seeds", blocks(), ids=str)
def test_every_event_counts_once_though_partitions_move_and_late_owners_wake_up(seeds):
    run_worlds(seeds, HANDOVERS, __file__)
