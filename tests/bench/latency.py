"""How long after an event its CRM action is visible, at a share of the throughput measured in the same run.

    python -m tests.bench.latency [--events 120000] [--users 15000] [--seconds 20] [--rules small|default]

One worker runs all stages on a real Kafka. It first catches up with a backlog, which gives its throughput. Then events
arrive at even distances, at 50 % and at 80 % of that. Among them are probes: customers of their own, whose last event
makes them a lead. A probe's clock starts when the producer is given that event, and stops when a consumer that reads
committed records receives the action.
"""

import argparse
import gc
import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import confluent_kafka
import msgspec

from connectors.sources.outgoing import Outgoing
from pipeline.avro.wire import Decoder
from pipeline.clock import wall_clock_ms
from pipeline.local.broker import broker
from pipeline.settings import Settings
from pipeline.topics import ACTIONS
from tests.bench.core import encoded
from tests.bench.deployment import Positions, deployment, load_producer, produce, topic_of, worker
from tests.bench.process import ProcessUse
from tests.bench.rule_sets import RULES
from tests.bench.throughput import WARM_UP_SHARE, Figures, measured
from tests.bench.workload import events

SHARES = (0.5, 0.8)
PROBES_PER_SECOND = 20
SETTLE_SECONDS = 5.0
"""Load before the first probe that counts, so that the backlog of the catch-up is gone."""
TIMEOUT_SECONDS = 60.0
STEP_SECONDS = 0.002


class Latency(msgspec.Struct):
    """Event to visible action, of the probes at one load."""

    share: float
    """Of the catch-up throughput."""
    events_per_second: float
    probes: int
    p50_ms: float
    p99_ms: float
    worst_ms: float

    def line(self) -> str:
        """Returns the figures as text."""
        return (
            f"load {self.share:.0%}, {self.events_per_second:,.0f} events/s: p50 {self.p50_ms:,.0f} ms, "
            f"p99 {self.p99_ms:,.0f} ms, worst {self.worst_ms:,.0f} ms of {self.probes} probes"
        )


class Measured(msgspec.Struct):
    """Throughput, and the latency at each share of it."""

    catch_up: Figures
    latencies: list[Latency]


class SeenActions(threading.Thread):
    """Reads the actions as they are committed, and notes when each probe's first one arrived."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="seen-actions", daemon=True)
        self.at: dict[str, float] = {}
        """By identifier."""
        self._done = threading.Event()
        self._decode = Decoder(ACTIONS.value)
        self._consumer = confluent_kafka.Consumer(
            {
                **settings.kafka(), "group.id": "unused", "enable.auto.commit": False,
                "isolation.level": "read_committed", "fetch.wait.max.ms": 5,
            }
        )  # fmt: skip
        topic = ACTIONS.of(settings.topic_prefix)
        self._consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(settings.partitions)])

    def run(self) -> None:
        """Runs until :meth:`stop`."""
        while not self._done.is_set():
            for message in self._consumer.consume(1, 0.05):
                now = time.monotonic()
                if message.error() is None:
                    for identifier in self._decode(message.value())["identifiers"]:
                        self.at.setdefault(identifier, now)
        self._consumer.close()

    def stop(self) -> None:
        """Ends the thread."""
        self._done.set()
        self.join()


def probe(name: str, at_ms: int) -> list[dict[str, Any]]:
    """Returns the events of one probe under the shipped score rules: 55 points, then 20 more, which cross 70."""
    return [
        {
            "type": "track", "event": event, "channel": "web", "messageId": f"{name}-{number}", "timestamp": at_ms,
            "userId": name, "properties": {},
        }
        for number, event in enumerate(("quote_requested", "planner_used", "checkout_started"))
    ]  # fmt: skip


def probe_records(name: str, number: int, at_ms: int, rules: Path | None) -> list[Sequence[Outgoing]]:
    """Returns the encoded events of each probe."""
    probes = [probe(f"{name}-{at}", at_ms) for at in range(number)]
    records, length = encoded(itertools.chain.from_iterable(probes), rules), len(probes[0])
    return [records[start : start + length] for start in range(0, len(records), length)]


class Probes:
    """Sends a probe's first events a second before its last one, and notes when the last was sent."""

    def __init__(self, records: Sequence[Sequence[Outgoing]]) -> None:
        self._waiting = iter(records)
        self._begun: list[Sequence[Outgoing]] = []
        self.sent_at: dict[str, float] = {}

    def due(self) -> Iterator[Outgoing]:
        """Yields what to send now: the start of one probe and the end of an earlier one."""
        first = next(self._waiting, None)
        if first is not None:
            self._begun.append(first)
            yield from first[:-1]
        if len(self._begun) > PROBES_PER_SECOND or (first is None and self._begun):
            last = self._begun.pop(0)[-1]
            self.sent_at[last.key.partition("/")[2]] = time.monotonic()
            yield last


def steady_load(settings: Settings, records: Iterator[Outgoing], rate: float, seconds: float, probes: Probes) -> None:
    """Sends records at a rate for a time, and the probes among them."""
    producer = load_producer(settings, linger_ms=1)
    started = time.monotonic()
    sent = rounds = 0
    while (passed := time.monotonic() - started) < seconds:
        due = list(itertools.islice(records, max(0, int(passed * rate) - sent)))
        sent += len(due)
        if passed * PROBES_PER_SECOND >= rounds:
            rounds += 1
            due += probes.due()
        for record in due:
            producer.produce(topic_of(settings, record), record.value, record.key)
        producer.poll(0)
        time.sleep(STEP_SECONDS)
    if producer.flush(30):
        message = "the load was not delivered within 30 s"
        raise TimeoutError(message)


def latency_at(
    settings: Settings, share: float, rate: float, seconds: float, records: Iterator[Outgoing], rules: Path | None
) -> Latency:
    """Sends the load of one share, and waits until the action of every probe that counts is visible."""
    name, now_ms = f"probe{int(share * 100)}", wall_clock_ms()
    number = int((SETTLE_SECONDS + seconds) * PROBES_PER_SECOND)
    probes = Probes(probe_records(name, number, now_ms, rules))
    seen = SeenActions(settings)
    seen.start()
    started = time.monotonic()
    steady_load(settings, records, rate, SETTLE_SECONDS + seconds, probes)
    counted = {ident: at for ident, at in probes.sent_at.items() if at >= started + SETTLE_SECONDS}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not counted.keys() <= seen.at.keys():
        if time.monotonic() > deadline:
            message = f"{len(counted.keys() - seen.at.keys())} of {len(counted)} probes had no action in time"
            raise TimeoutError(message)
        time.sleep(0.05)
    seen.stop()
    waits = sorted((seen.at[ident] - at) * 1000 for ident, at in counted.items())
    return Latency(share, rate, len(waits), waits[len(waits) // 2], waits[int(len(waits) * 0.99)], waits[-1])


def measure(
    bootstrap: str, home: Path, rule_set: str, number: int, users: int, seconds: float, max_rate: float, name: str
) -> Measured:
    """Measures one worker: the catch-up with ``number`` events, then ``seconds`` at each share of its rate."""
    rules = RULES[rule_set]
    settings = deployment(bootstrap, name, home, rules)
    later = int(max_rate * (SETTLE_SECONDS + seconds) * sum(SHARES))
    records = encoded(events(number + later, users), rules)
    gc.freeze()
    produce(settings, records[:number])
    rest = iter(records[number:])
    with Positions(settings) as positions, worker(settings, min(os.sched_getaffinity(0))) as pid:
        catch_up = measured(positions, number, number // WARM_UP_SHARE, [ProcessUse(pid)])
        print(f"  catch-up {catch_up.events_per_second:,.0f} events/s", flush=True)
        latencies = []
        for share in SHARES:
            rate = min(max_rate, catch_up.events_per_second) * share
            latencies.append(latency_at(settings, share, rate, seconds, rest, rules))
            print(f"  {latencies[-1].line()}", flush=True)
    return Measured(catch_up, latencies)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency", description=__doc__)
    parser.add_argument("--events", type=int, default=120_000, help="events of the catch-up")
    parser.add_argument("--users", type=int, default=15_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time at each load")
    parser.add_argument("--max-rate", type=float, default=12_000, help="bound of the events prepared per second")
    parser.add_argument("--rules", choices=[*RULES], default="default")
    options = parser.parse_args()
    with broker() as running, tempfile.TemporaryDirectory() as home:
        print(f"broker: {running.description}; load {os.getloadavg()[0]:.1f}", flush=True)
        measure(
            running.bootstrap_servers, Path(home), options.rules, options.events, options.users, options.seconds,
            options.max_rate, f"bench-latency-{time.time_ns()}",
        )  # fmt: skip
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
