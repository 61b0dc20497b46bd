"""``python -m tests.bench.cpu live``: CPU time of all stages per event, in memory, or a hash of all that they write.

    python -m tests.bench.cpu live|clickstream|slow_buyers [--events 12000] [--rules small|default] [--digest]

Run it in two work trees at the same time, each pinned to a core of its own by ``taskset -c``, then with the cores
exchanged: other load then slows both alike. Events and clock are fixed, so that two commits with equal digests wrote
the same records and the same state.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.stream.gc_tuning import collect_rarely
from pipeline.topics import ALL, EVENTS, TOUCHES
from tests.bench import slow_buyers, workload
from tests.bench.clickstream import clickstream
from tests.bench.core import CHUNK, PREFIX, encoded

NOW_MS = 1_790_000_000_000
SMALL = Path(__file__).with_name("rules")
YEARS = 4
EVENTS_A_BUYER = 17


def history(name: str, number: int) -> Iterable[dict[str, Any]]:
    """Returns the events of a workload."""
    if name == "clickstream":
        return clickstream(number, NOW_MS)
    if name == "slow_buyers":
        return slow_buyers.history(max(1, number // EVENTS_A_BUYER), YEARS)
    with patch.object(workload, "wall_clock_ms", lambda: NOW_MS):
        return list(workload.events(number, max(1, number // 8)))


def main() -> int:
    """Runs the workload and prints the CPU time per event, or the digest."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cpu", description=__doc__)
    parser.add_argument("workload", choices=["live", "clickstream", "slow_buyers"])
    parser.add_argument("--events", type=int, default=12_000)
    parser.add_argument("--rules", choices=["small", "default"], default="default")
    parser.add_argument("--digest", action="store_true")
    options = parser.parse_args()
    slow = options.workload == "slow_buyers"
    rules = slow_buyers.RULES if slow else SMALL if options.rules == "small" else None
    records = encoded(history(options.workload, options.events), rules)
    clock = "stream" if slow else "wall"
    simulation = Simulation(Settings(topic_prefix=PREFIX, clock=clock), load_rules(rules), lambda: NOW_MS)
    collect_rarely()
    digest, started = hashlib.sha256(), time.process_time()
    warm_up = 0 if slow else len(records) // 3 // CHUNK * CHUNK
    for at in range(0, len(records), CHUNK):
        if at == warm_up:
            started = time.process_time()
        for record in records[at : at + CHUNK]:
            simulation.feed(record.topic, record.key, record.value)
        simulation.process() if slow else simulation.settle()
        _take(simulation, digest if options.digest else None)
    if slow:
        simulation.advance(slow_buyers.START_MS + YEARS * 365 * slow_buyers.DAY_MS)
    _take(simulation, digest if options.digest else None)
    seconds = time.process_time() - started
    if options.digest:
        for store in simulation.stores.values():
            digest.update(repr(sorted((name, sorted(rows.items())) for name, rows in store.families.items())).encode())
        print(digest.hexdigest())
    else:
        print(f"{seconds / (len(records) - warm_up) * 1e6:.1f} µs of CPU time per event")
    return 0


def _take(simulation: Simulation, digest: Any) -> None:
    for topic in ALL:
        if topic not in {TOUCHES, *EVENTS.values()}:
            for record in simulation.take(topic):
                if digest is not None:
                    digest.update(repr((topic.name, record.key(), record.value(), record.headers())).encode())


if __name__ == "__main__":
    sys.exit(main())
