"""Two fault profiles, and the blocks of seeds that the tests run with them."""

import functools
import gc
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from pipeline.event import accept
from pipeline.event.normalise import EventNormaliser
from pipeline.event.rules import IntakeRules
from pipeline.identity import stitch
from pipeline.identity.policy import IdentityPolicy
from pipeline.rules.normalisers import normalisers
from pipeline.stream.stages import intake as intake_stage
from pipeline.stream.stages import profile
from tests.simulation.histories import IDENTIFIERS
from tests.simulation.oracle import COMPILED, check
from tests.simulation.world import RULES, FaultProfile, World

SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "200"))
"""Worlds per fault profile; ``make storms`` runs ten times as many."""
FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "0"))
BLOCK = 500

CRASHES = FaultProfile(
    work=60, start=8, die=3, rebalance=1, complete=6, settle=6, expire=1,
    crash=7, stand_still=2, refuse=3, replaced=1, calm_steps=150,
)  # fmt: skip
"""Processes die at every step, their folders fall behind, and successors start."""
HANDOVERS = FaultProfile(
    work=60, start=8, die=1, rebalance=1, complete=8, settle=3, expire=1,
    crash=2, stand_still=8, refuse=3, replaced=2, calm_steps=150,
)  # fmt: skip
"""Partitions move between living processes, some of which pause meanwhile and continue too late."""


def blocks() -> list[range]:
    """Returns the seeds of a run, in blocks that fit a test's time limit."""
    end = FIRST_SEED + SEEDS
    return [range(start, min(start + BLOCK, end)) for start in range(FIRST_SEED, end, BLOCK)]


def run_worlds(seeds: range, faults: FaultProfile, file: str) -> None:
    """Runs and checks each world. Prints the command that replays a failing world."""
    for seed in seeds:
        try:
            check(World(seed, faults).play())
        except BaseException:
            print(f"replay: STITCHLINE_FIRST_SEED={seed} STITCHLINE_SEEDS=1 pytest {file}")
            raise


@pytest.fixture(autouse=True, scope="module")
def shared() -> Iterator[None]:
    """Shares compiled rules and normalisers between worlds, silences warnings and makes garbage collections rare.

    The rules hold no state of a world, and all warnings of the worlds are the same: an identifier was quarantined.
    """
    normaliser = functools.cache(lambda country: EventNormaliser(IntakeRules(), IDENTIFIERS, normalisers(country)))
    books = {id(rules.identity): IdentityPolicy(rules.identity) for rules in RULES}
    before = gc.get_threshold()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile, "compiled", lambda _rules: COMPILED)
        patch.setattr(accept, "EventNormaliser", lambda rules, *_: normaliser(rules.default_country))
        for module in (stitch, intake_stage):
            patch.setattr(module, "IdentityPolicy", lambda rules: books[id(rules)])
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        gc.set_threshold(50_000, 20, 100)
        yield
    gc.set_threshold(*before)
    structlog.reset_defaults()
