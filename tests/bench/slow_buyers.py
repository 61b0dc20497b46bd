"""``python -m tests.bench.slow_buyers``: customers with a few visits a year, so that most of the work is due times.

    python -m tests.bench.slow_buyers [--customers 793] [--years 4] [--count]

All stages run in memory with the stream clock, over a seeded history in time order; then time advances to the end of
the last year. In the months between two touches of a customer, windows empty, scores fade and segments change.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pipeline.clock import wall_clock_ms
from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.stream.gc_tuning import collect_rarely
from pipeline.topics import SEGMENTS
from pipeline.trigger.membership import Memberships
from tests.bench.core import CHUNK, OUTPUTS, PREFIX, encoded

RULES = Path(__file__).with_name("slow_buyers_rules")
START_MS = 1_577_836_800_000
"""2020-01-01."""
YEARS = 4
END_MS = START_MS + YEARS * 365 * DAY_MS
"""The end of the history at the default length."""
VISITS_A_YEAR = 1.6


def history(customers: int, years: int, seed: int = 11) -> list[dict[str, Any]]:
    """Returns the events of customers with one or two purchases a year, in time order."""
    chance = random.Random(seed)
    end_ms = START_MS + years * 365 * DAY_MS
    events: list[dict[str, Any]] = []
    for customer in range(customers):
        at_ms = START_MS + chance.randrange(years * 365 * DAY_MS * 3 // 4)
        while at_ms < end_ms:
            events += _visit(chance, f"c{customer}", at_ms)
            at_ms += int(chance.expovariate(VISITS_A_YEAR / 365) * DAY_MS) + DAY_MS
    events.sort(key=lambda event: (event["timestamp"], event["userId"]))
    return [{**event, "messageId": f"m{number}"} for number, event in enumerate(events)]


def _visit(chance: random.Random, user: str, at_ms: int) -> Iterator[dict[str, Any]]:
    """Yields up to two product views, one to three orders, and sometimes an e-mail click or a refund."""
    for look in range(chance.randrange(0, 3)):
        yield _event("product_viewed", user, at_ms - HOUR_MS + look * 60_000, product_id=f"p{chance.randrange(500)}")
    for part in range(chance.randrange(1, 4)):
        amount = {"order_id": f"{user}-{at_ms}-{part}", "total": chance.randrange(10, 900), "currency": "USD"}
        yield _event("order_completed", user, at_ms + part * 60_000, **amount)
    if chance.random() < 0.2:
        yield _event("email_clicked", user, at_ms + 30 * HOUR_MS, campaign="news")
    if chance.random() < 0.05:
        yield _event("order_refunded", user, at_ms + 9 * DAY_MS, order_id=f"{user}-{at_ms}-0", total=10, currency="USD")


def _event(name: str, user: str, at_ms: int, **properties: Any) -> dict[str, Any]:
    channel = "email" if name == "email_clicked" else "web"
    return {
        "type": "track", "event": name, "channel": channel, "timestamp": at_ms, "userId": user, "properties": properties
    }  # fmt: skip


def run(events: list[dict[str, Any]], end_ms: int) -> tuple[float, int]:
    """Returns (CPU seconds of all stages for a history and the time to ``end_ms``, number of segment changes)."""
    records = encoded(events, RULES)
    simulation = Simulation(Settings(topic_prefix=PREFIX, clock="stream"), load_rules(RULES), wall_clock_ms)
    changes = 0
    started = time.process_time()
    for at in range(0, len(records), CHUNK):
        for record in records[at : at + CHUNK]:
            simulation.feed(record.topic, record.key, record.value)
        simulation.process()
        changes += _take(simulation)
    simulation.advance(end_ms)
    changes += _take(simulation)
    return time.process_time() - started, changes


def _take(simulation: Simulation) -> int:
    """Discards the output. Returns the number of segment changes in it."""
    return sum([len(simulation.take(topic)) * (topic is SEGMENTS) for topic in OUTPUTS])


def main() -> int:
    """Runs the workload and prints its rates."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.slow_buyers", description=__doc__)
    parser.add_argument("--customers", type=int, default=793)
    parser.add_argument("--years", type=int, default=4)
    parser.add_argument("--count", action="store_true", help="Count evaluations of segments too, in a second run.")
    options = parser.parse_args()
    events = history(options.customers, options.years)
    end_ms = START_MS + options.years * 365 * DAY_MS
    collect_rarely()
    print(f"{len(events):,} events of {options.customers:,} slow buyers in {options.years} years", flush=True)
    cpu_seconds, changes = run(events, end_ms)
    print(f"  {len(events) / cpu_seconds:9,.0f} events per CPU second, {changes:,} segment changes", flush=True)
    if options.count:
        with patch.object(Memberships, "update", autospec=True, side_effect=Memberships.update) as update:
            run(events, end_ms)
        print(f"  {update.call_count / len(events):9.1f} evaluations of segments an event")
    return 0


if __name__ == "__main__":
    sys.exit(main())
