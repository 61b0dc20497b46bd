"""How long after an event reveals a link its customer's profile is whole, in commit intervals, under a steady load.

    python -m tests.bench.moves [--rate 300] [--seconds 40] [--json FILE]

One worker runs all stages on a real Kafka. Every customer browses first and logs in later: the log-in is the link. Its
clock starts when the producer is handed the log-in and stops when a read-committed consumer of ``profile.updates`` sees
a profile that holds both identifiers with all the touches: decided by STITCH, moved and published by PROFILE. A commit
interval is what it was: a worker that is short of a core takes longer for a commit than the interval it is set to.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.clock import wall_clock_ms
from pipeline.event.parse import Defaults
from pipeline.kafka.admin import ensure_topics
from pipeline.local.broker import broker
from pipeline.local.ports import free_ports
from pipeline.obs import metrics as m
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.topics import UPDATES
from tests.bench.core import PREFIX
from tests.bench.stitch import say

PARTITIONS = 4
LOG_IN_EVERY = 5
"""Events; the others are page views, so that most of the load is what most of a day's load is."""
BROWSED_BEFORE_SECONDS = 3.0
"""A visitor's page view comes so long before the log-in that it is booked and published by then."""
WARM_UP_SECONDS = 5.0
TIMEOUT_SECONDS = 60.0


class Figures(msgspec.Struct):
    """Of the log-ins after the warm-up, in milliseconds and in commit intervals."""

    log_ins: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    interval_ms: float
    """Between two commits, as counted."""
    p50_intervals: float
    p99_intervals: float


class Seen(threading.Thread):
    """Reads published profiles as they are committed: when each log-in's two identifiers were first seen as one."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="seen", daemon=True)
        self.whole_at: dict[str, float] = {}
        """By user id."""
        self.done = threading.Event()
        self._decode = Decoder(UPDATES.value)
        self._consumer = confluent_kafka.Consumer(
            {
                **settings.kafka(),
                "group.id": "unused",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 5,
            }
        )
        topic = UPDATES.of(settings.topic_prefix)
        self._consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in range(PARTITIONS)])

    def run(self) -> None:
        """Runs until the end is signalled."""
        while not self.done.is_set():
            for message in self._consumer.consume(500, 0.02):
                now = time.monotonic()
                if message.error() is None and message.value():
                    self._note(self._decode(message.value()), now)
        self._consumer.close()

    def _note(self, update: dict[str, Any], now: float) -> None:
        users = [ident for ident in update["identifiers"] if ident.startswith("user_id:")]
        viewed = update["aggregates"].get("products_viewed", {}).get("lifetime", 0)
        if users and viewed and len(update["identifiers"]) > 1:
            self.whole_at.setdefault(users[0], now)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.moves", description=__doc__)
    parser.add_argument("--rate", type=int, default=300, help="events a second")
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with broker() as running, tempfile.TemporaryDirectory() as home:
        say(f"broker: {running.description}")
        name = f"bench-moves-{time.time_ns()}"
        settings = Settings(
            bootstrap_servers=running.bootstrap_servers, topic_prefix=name, application_id=name,
            partitions=PARTITIONS, home=Path(home), http_port=free_ports(1)[0],
        )  # fmt: skip
        result = measured(settings, options.rate, options.seconds)
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(result), indent=2))
    return 0


def measured(settings: Settings, rate: int, seconds: int) -> Figures:
    """Let a worker run under the load, and read what it published."""
    ensure_topics(settings)
    environment = {
        **os.environ,
        **{f"STITCHLINE_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set},
        "STITCHLINE_LOG_LEVEL": "warning",
    }
    worker = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "worker"], env=environment)
    seen = Seen(settings)
    seen.start()
    try:
        before, started = commits(settings), time.monotonic()
        told_at = steady_load(settings, rate, seconds)
        interval_ms = (time.monotonic() - started) * 1000 / (commits(settings) - before)
        counted = dict(
            sorted(told_at.items(), key=lambda item: item[1])[int(len(told_at) * WARM_UP_SECONDS / seconds) :]
        )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not counted.keys() <= seen.whole_at.keys():
            if time.monotonic() > deadline:
                missing = len(counted.keys() - seen.whole_at.keys())
                message = f"{missing} of {len(counted)} log-ins were not seen within {TIMEOUT_SECONDS:.0f} s"
                raise TimeoutError(message)
            time.sleep(0.1)
    finally:
        seen.done.set()
        seen.join()
        worker.terminate()
        worker.wait(30)
    waits = sorted((seen.whole_at[user] - at) * 1000 for user, at in counted.items())
    return told(waits, interval_ms, settings, rate)


def commits(settings: Settings) -> float:
    """Transactions that the worker has committed so far; waits until its metrics answer."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            url = f"http://{settings.http_host}:{settings.http_port}/metrics"
            with urllib.request.urlopen(url, timeout=20) as page:
                families = text_string_to_metric_families(page.read().decode())
            break
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    return next(sample.value for family in families for sample in family.samples if sample.name == m.COMMITS.name)


def steady_load(settings: Settings, rate: int, seconds: int) -> dict[str, float]:
    """Events at even distances; when each log-in was handed to the producer, by user id."""
    rules, told_at = load_rules(settings.rules_dir), dict[str, float]()
    defaults = Defaults(tenant="default", source="", channel=None)
    encode = EventEncoder(rules.intake, rules.identifiers, FileIds(), PREFIX, defaults)
    producer = confluent_kafka.Producer({**settings.kafka(), "partitioner": "murmur2_random", "linger.ms": 1})
    started = time.monotonic()
    for at, document in enumerate(documents(rate, rate * seconds)):
        time.sleep(max(0.0, started + at / rate - time.monotonic()))
        sent = encode(document)
        if not isinstance(sent, Outgoing):
            raise TypeError(sent)
        producer.produce(settings.topic_prefix + sent.topic.removeprefix(PREFIX), sent.value, sent.key)
        producer.poll(0)
        if document["event"] == "signed_in":
            told_at[f"user_id:{document['userId']}"] = time.monotonic()
    producer.flush(30)
    return told_at


def documents(rate: int, number: int) -> Iterator[dict[str, Any]]:
    """Every fifth event is the log-in of a visitor of some seconds ago; the rest are page views."""
    behind = int(BROWSED_BEFORE_SECONDS * rate / LOG_IN_EVERY) + 1
    for at in range(number):
        customer, place = divmod(at, LOG_IN_EVERY)
        made = {"type": "track", "event": "product_viewed", "channel": "web", "messageId": f"m{at}"}
        made |= {"timestamp": wall_clock_ms(), "anonymousId": f"b{customer}", "properties": {"sku": f"s{at % 500}"}}
        if place == 0 and customer >= behind:
            made |= {"event": "signed_in", "anonymousId": f"b{customer - behind}", "userId": f"u{customer - behind}"}
        yield made


def told(waits: list[float], interval_ms: float, settings: Settings, rate: int) -> Figures:
    """The table."""
    p50, p99, worst = waits[len(waits) // 2], waits[int(len(waits) * 0.99)], waits[-1]
    result = Figures(len(waits), p50, p99, worst, interval_ms, p50 / interval_ms, p99 / interval_ms)
    say(
        f"{len(waits):,} log-ins at {rate} events/s, a commit each {interval_ms:.0f} ms "
        f"(set to {settings.commit_interval_ms}; load {os.getloadavg()[0]:.1f})"
    )
    say(f"  from the log-in to the whole profile: p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms")
    say(f"  in commit intervals: p50 {result.p50_intervals:.1f}, p99 {result.p99_intervals:.1f}")
    return result


if __name__ == "__main__":
    sys.exit(main())
