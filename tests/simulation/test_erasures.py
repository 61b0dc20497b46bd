"""Customers are erased among merges, moves, decisions, crashes, rebalances: nothing of theirs stays, all else does."""

import pytest

from pipeline.identity import stitch
from pipeline.profile import logic
from pipeline.state.marks import MarksView
from pipeline.stream import erasing
from tests.simulation.erasures import ErasureWorld, check_erasures
from tests.simulation.fault_profiles import CRASHES, FIRST_SEED, HANDOVERS, SEEDS, shared

__all__ = ["shared"]

WORLDS = range(FIRST_SEED, FIRST_SEED + max(1, SEEDS // 4))
"""A quarter of the other worlds: these have the same faults."""
ENOUGH_SEEDS = 100


@pytest.mark.parametrize("faults", [CRASHES, HANDOVERS], ids=["crashes", "handovers"])
def test_an_erasure_leaves_nothing_of_the_customer_and_everything_of_others(faults):
    for seed in WORLDS:
        try:
            check_erasures(ErasureWorld(seed, faults).play())
        except BaseException:
            print(f"replay: STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__}")
            raise


def rows_not_swept(patch):
    def end_at_once(eraser):
        eraser._covered = {request: len(sweep.sources) for request, sweep in eraser.view.sweeps.items()}
        eraser._end_pass()
        return 1

    patch.setattr(erasing.Eraser, "_read_page", end_at_once)


def swept_before_the_mark_is_committed(patch):
    patch.setattr(MarksView, "is_durable", property(lambda _view: True))


def older_messages_taken_by_profile(patch):
    patch.setattr(logic, "newer_part", lambda message, _marks: message)


def older_links_taken_by_stitch(patch):
    patch.setattr(stitch, "newer_part", lambda link, _marks: link)


DEFECTS = (
    rows_not_swept,
    swept_before_the_mark_is_committed,
    older_messages_taken_by_profile,
    older_links_taken_by_stitch,
)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_the_worlds_find_each_planted_defect(defect, monkeypatch):
    defect(monkeypatch)
    for seed in range(ENOUGH_SEEDS):
        try:
            check_erasures(ErasureWorld(seed, (CRASHES, HANDOVERS)[seed % 2]).play())
        except (AssertionError, LookupError, KeyError) as error:
            print(f"seed {seed}: {str(error).splitlines()[:1]}")
            return
    pytest.fail(f"{ENOUGH_SEEDS} worlds did not notice")
