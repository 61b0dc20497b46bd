"""Time in which a CRM sink recovers from faults, on an emulated clock: ``python -m tests.bench.crm_recovery``.

Each line: what happens, and the seconds from the end of the fault until the waiting action is delivered. Nothing may be
quarantined meanwhile. ``--kafka`` adds a line of a real Kafka that is killed and started again, on the wall clock.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from connectors.crm.sink import SinkError
from tests.bench.crm_kafka_restart import LEADS, restart
from tests.crm import emulator as faults
from tests.crm.emulators import KINDS
from tests.crm.world import World, action
from tests.support.crm_log import Stop

HOUR_MS = 3_600_000


def lasting(fault: str, ms: int) -> Callable[[World], int]:
    """A fault of every write request for some time."""

    def start(world: World) -> int:
        end = world.clock.now_ms + ms
        world.crm.chance = lambda: fault if world.clock.now_ms < end else ""
        return end

    return start


def once(fault: str) -> Callable[[World], int]:
    """A fault of one write request."""

    def start(world: World) -> int:
        world.crm.planned = [fault]
        return world.clock.now_ms

    return start


def expired(world: World) -> int:
    """The token expires; HubSpot's key does not."""
    world.crm.expire()
    return world.clock.now_ms


def rotated(world: World) -> int:
    """The secret is replaced in the CRM, and where the sink reads it ten minutes later."""
    world.crm.rotate()
    end = world.clock.now_ms + 600_000

    def learn(_moment: str) -> None:
        if world.clock.now_ms >= end:
            world.secrets = dict(world.crm.secrets)

    world.crm.at_request = learn
    return end


FAULTS: dict[str, Callable[[World], int]] = {
    "429 or its like, once": once(faults.SLOW_DOWN),
    "429 or its like, for ten minutes": lasting(faults.SLOW_DOWN, 600_000),
    "day quota used, until a reset after 6 h 10 min": lasting(faults.DAY_LIMIT, 6 * HOUR_MS + 600_000),
    "token expired": expired,
    "secret rotated, known to the sink after 10 min": rotated,
    "503 for ten minutes": lasting(faults.UNAVAILABLE, 600_000),
}


def seconds(kind: str, start: Callable[[World], int]) -> float:
    """Returns the time from the end of a fault to the delivery."""
    world = World(kind)
    world.send(action(1))
    world.run()
    world.send(action(1, 2), action(2))
    runner = world.open(settle_ms=0)
    end = start(world)
    runner.run(Stop(world.clock, 10_000_000), drain=True)
    assert (runner.delivered, runner.quarantined) == (2, 0)
    return max(0, world.clock.now_ms - end) / 1000


def stopped(kind: str) -> str:
    """Returns what the sink says when a right is revoked."""
    world = World(kind)
    world.send(action(1))
    world.crm.chance = lambda: faults.RIGHT_MISSING
    try:
        world.run()
    except SinkError as error:
        assert not world.topics.quarantine
        assert not world.topics.positions
        return str(error)
    message = "the sink did not stop"
    raise AssertionError(message)


def print_restart(away_seconds: float) -> None:
    """Prints the line of a broker that is killed during a delivery."""
    with tempfile.TemporaryDirectory() as folder:
        result = restart(Path(folder), away_seconds)
    assert (result.objects, result.leads, result.notes) == (LEADS, LEADS, LEADS), result
    print(f"Kafka killed after {result.before} of {LEADS} leads: {result.seconds:.1f}s, {result.starts} starts")
    print(f"one object and one note per lead; a further run: {result.left}")


def main() -> None:
    """Prints the table."""
    if "--kafka" in sys.argv:
        print_restart(0)
        return
    print(f"{'fault':48}" + "".join(f"{kind:>12}" for kind in KINDS))
    for what, start in FAULTS.items():
        print(f"{what:48}" + "".join(f"{seconds(kind, start):>11.1f}s" for kind in KINDS))
    for kind in KINDS:
        print(f"right revoked, {kind}: {stopped(kind)}")


if __name__ == "__main__":
    main()
