"""CPU time of CRM runner and sync with each mapper, and memory of the ledger: ``python -m tests.bench.crm``.

The emulator answers in the same process; its own CPU time is measured and taken off.
"""

import argparse
import resource
import time
from collections.abc import Iterator

import httpx2

from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.runner import SinkRunner
from pipeline.obs import metrics as names
from tests.crm.emulators import KINDS
from tests.crm.sync_world import SyncWorld, vip
from tests.crm.world import World, action
from tests.support.crm_log import Stop

CHUNK = 10_000
FIELDS = {f"stitchline_{number}": "0123456789abcdef" for number in range(12)}


def deliveries(kind: str, count: int) -> str:
    """Delivers new leads, each an object with a note."""
    world = World(kind)
    world.send(*(action(number) for number in range(count)))
    runner = world.open()
    seconds = _drained(world, runner)
    assert runner.delivered == count
    rate = f"{count / seconds:,.0f} actions per second of CPU"
    return f"{kind}: {count} actions in {len(world.crm.calls)} requests: {rate}"


def synced(kind: str, count: int) -> Iterator[str]:
    """Fills four fields of the records of known customers, then starts again with nothing to write."""
    world = SyncWorld(kind)
    world.send(*(action(number) for number in range(count)))
    world.run()
    for number in range(count):
        world.publish(f"p{number}", **vip(score=number % 100))
    for what, written in (("filled", count), ("found equal", 0)):
        calls, before = len(world.crm.calls), world.metrics.value(names.CRM_SYNCED, "crm", "written")
        runner = world.open()
        world.updates.limit = CHUNK
        seconds = _drained(world, runner)
        assert world.metrics.value(names.CRM_SYNCED, "crm", "written") - before == written
        rate = f"{count / seconds:,.0f} rows per second of CPU"
        yield f"{kind}: fields of {count} records {what} in {len(world.crm.calls) - calls} requests: {rate}"


def _drained(world: World, runner: SinkRunner) -> float:
    """Runs a runner to the end. Returns its CPU time in seconds, without the emulator's."""
    emulator_seconds = 0.0

    def handle(request: httpx2.Request) -> httpx2.Response:
        nonlocal emulator_seconds
        start = time.process_time()
        answer = world.crm.handle(request)
        emulator_seconds += time.process_time() - start
        return answer

    world.http._client = httpx2.Client(base_url=world.connection.url, transport=httpx2.MockTransport(handle))
    start = time.process_time()
    runner.run(Stop(world.clock), drain=True)
    return time.process_time() - start - emulator_seconds


def ledger(rows: int) -> str:
    """Fills a ledger."""
    held = Ledger()
    start = time.process_time()
    for first in range(0, rows, CHUNK):
        held.apply(
            LedgerRow(
                sink="s", tenant="t", action_id=f"{number:032x}", profile_id=f"p{number}", object="contact",
                object_id=str(number), revision=1, fields=FIELDS, written_ms=number,
            )
            for number in range(first, first + CHUNK)
        )  # fmt: skip
    seconds = time.process_time() - start
    held.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return f"{rows} ledger rows: {rows / seconds:,.0f} rows per second of CPU, peak memory of the process {peak} MB"


def main() -> None:
    """Prints one line per measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--actions", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    print(ledger(options.rows))
    for kind in KINDS:
        print(deliveries(kind, options.actions))
        for line in synced(kind, options.records):
            print(line)


if __name__ == "__main__":
    main()
