"""From a seed to a list of faults with times. Pure."""

from random import Random

import msgspec

from pipeline.chaos.plan import Kind, Plan

QUIET_SHARE = 0.05
"""Share of the run before the first fault, in which the workers find their partitions."""
CLOCK_STEPS_SECONDS = (-172_800, 172_800, -3_600, 90)
HOLD_SECONDS = {Kind.DISK: 4.0, Kind.DESCRIPTORS: 4.0, Kind.CLOCK: 3.0}
"""How long a fault of the kind lasts. Other kinds last for no time, or for one that the plan gives."""
SILENT_SESSIONS = (0.5, 1.5)
"""Length of a network's silence in sessions: shorter and longer than what the group waits for."""
ZOMBIE_SESSIONS = 1.5


class Fault(msgspec.Struct, frozen=True):
    """One fault."""

    at_seconds: float
    """After the start of the load."""
    kind: Kind
    worker: int = 0
    """Which of the running workers, counted modulo their number."""
    lasts_seconds: float = 0.0
    amount: int = 0
    """Seconds by which a clock is set, or the number of the foreign records."""


def schedule(plan: Plan) -> list[Fault]:
    """Returns the faults in order of time. Each begins at a random moment of its own slot of the load.

    Faults may overlap: a long one is not over when the next begins.
    """
    random = Random(plan.seed)  # noqa: S311 - a story, not a secret
    kinds = [kind for kind in Kind for _ in range(plan.counts.get(kind, 0))]
    random.shuffle(kinds)
    first = plan.seconds * QUIET_SHARE
    slot = (plan.seconds - first) / max(1, len(kinds))
    turns: dict[Kind, int] = {}
    faults = []
    for number, kind in enumerate(kinds):
        turn = turns.setdefault(kind, 0)
        turns[kind] += 1
        at_seconds = round(first + slot * (number + random.random()), 3)
        faults.append(_fault(plan, random, kind, at_seconds, turn))
    return sorted(faults, key=lambda fault: fault.at_seconds)


def _fault(plan: Plan, random: Random, kind: Kind, at_seconds: float, turn: int) -> Fault:
    worker, session = random.randrange(1 << 16), plan.session_timeout_ms / 1000
    lasts = HOLD_SECONDS.get(kind, 0.0)
    amount = 0
    if kind in {Kind.BROKER, Kind.BROKER_AND_WORKERS}:
        lasts = plan.away_seconds[turn % len(plan.away_seconds)]
    elif kind == Kind.ZOMBIE:
        lasts = session * (ZOMBIE_SESSIONS + random.random())
    elif kind == Kind.SILENT:
        lasts = session * SILENT_SESSIONS[turn % len(SILENT_SESSIONS)]
    elif kind == Kind.CLOCK:
        amount = CLOCK_STEPS_SECONDS[turn % len(CLOCK_STEPS_SECONDS)]
    elif kind == Kind.FOREIGN:
        amount = random.randrange(1 << 16)
    return Fault(at_seconds, kind, worker, round(lasts, 3), amount)
