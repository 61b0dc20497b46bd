"""New links through STITCH, on a real Kafka, beside the engine alone, bare union-find and the floor, in one run.

    python -m tests.bench.stitch [--customers 100000] [--json FILE]

Everything is pinned to one core; the broker has the others. The worker runs the stage ``stitch`` alone, exactly once,
and is measured by the group's committed offsets. Each link is new; the first fifth is warm-up. Rates are per second of
CPU time, which is what a core of its own would give; the rate under the load of other processes is printed too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka
import msgspec

from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.partitioner import partition_of
from pipeline.kafka.retry import retrying
from pipeline.local.broker import broker
from pipeline.settings import Settings
from pipeline.stream.gc_tuning import collect_rarely
from pipeline.topics import LINKS
from tests.bench.links import new_links
from tests.bench.process import ProcessUse
from tests.bench.relay import Floor, floor
from tests.bench.stitch_core import WARM_UP_SHARE, engine, rate, stage, union_find

PARTITIONS = 4
TIMEOUT_SECONDS = 600.0
POLL_SECONDS = 0.02
PREFIX = "bench-stitch"
LIBRDKAFKA = "rdk:"
"""What the names of its threads begin with."""


class Worker(msgspec.Struct):
    """One worker process behind its warm-up; CPU microseconds are per link."""

    links_per_second: float
    cpu_us: float
    librdkafka_us: float
    """Of these, in librdkafka's own threads: batching, compression, the network."""
    peak_mb: float


class Figures(msgspec.Struct):
    """New links a CPU second."""

    union_find: float
    engine: float
    stage: float
    worker: Worker
    floor: Floor
    """A bare loop that reads the same links, sends the same records and writes the same rows: nothing is above it."""


def main() -> int:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stitch", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000, help="four new links each")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with broker() as running:
        say(f"broker: {running.description}")
        result = compare(running.bootstrap_servers, options.customers)
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(result), indent=2))
    return 0


def compare(bootstrap: str, customers: int) -> Figures:
    """All four, the cheapest first; prints as it goes."""
    links = list(new_links(customers))
    values = [msgspec.msgpack.encode(link) for link in links]
    say(f"{len(links):,} new links of {customers:,} customers")
    collect_rarely()
    with one_core():
        bare = rate(links, union_find())
        say(f"  union-find over a dict, without output    {bare:9,.0f} links/CPU s")
        alone = rate(links, engine())
        say(f"  the engine, tables in memory               {alone:9,.0f}")
        whole = rate(values, stage()[1])
        say(f"  the stage: bytes in, bytes out, no Kafka   {whole:9,.0f}")
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            bootstrap_servers=bootstrap, topic_prefix=PREFIX, application_id=PREFIX, partitions=PARTITIONS, home=home
        )
        place = confluent_kafka.TopicPartition(LINKS.of(PREFIX), partition_of(links[0].tenant, PARTITIONS))
        worker = on_kafka(settings, values, place)
        with one_core():
            bound = floor(settings, place, values)
    say(f"  a bare loop sending its {bound.records:.1f} records a link   {bound.sending:9,.0f}")
    say(f"  and looking up and writing its rows        {bound.whole:9,.0f}")
    on_a_core, part = 1e6 / worker.cpu_us, worker.cpu_us / 1e6 * alone
    say(f"  one worker process on Kafka, exactly once  {on_a_core:9,.0f}")
    say(f"  that is {worker.cpu_us:.1f} CPU us a link, {worker.librdkafka_us:.1f} in librdkafka; {part:.1f} engines")
    say(f"  at a load of {os.getloadavg()[0]:.1f} {worker.links_per_second:,.0f} links/s; peak {worker.peak_mb:.0f} MB")
    return Figures(bare, alone, whole, worker, bound)


def on_kafka(settings: Settings, values: list[bytes], place: confluent_kafka.TopicPartition) -> Worker:
    """One pinned worker with the stage alone; the links wait for it on the topic."""
    ensure_topics(settings)
    put(settings, values, place)
    environment = {
        **os.environ,
        **{f"STITCHLINE_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set},
        "STITCHLINE_STAGES": "stitch",
        "STITCHLINE_LOG_LEVEL": "warning",
    }
    core = str(min(os.sched_getaffinity(0)))
    worker = subprocess.Popen(["taskset", "-c", core, sys.executable, "-m", "pipeline.cli", "worker"], env=environment)
    try:
        return timed(settings, len(values), place, ProcessUse(worker.pid))
    finally:
        worker.terminate()
        worker.wait(30)


def put(settings: Settings, values: list[bytes], place: confluent_kafka.TopicPartition) -> None:
    """Put the links where the tenant's go before the clock starts."""
    producer = confluent_kafka.Producer(
        {**settings.kafka(), "linger.ms": 50, "compression.type": "lz4", "queue.buffering.max.messages": 5_000_000}
    )
    for value in values:
        producer.produce(place.topic, value, partition=place.partition)
        producer.poll(0)
    if producer.flush(60):
        message = "the links were not delivered within 60 s"
        raise TimeoutError(message)


def timed(settings: Settings, wanted: int, place: confluent_kafka.TopicPartition, use: ProcessUse) -> Worker:
    """From the first commit at or behind the warm-up to the commit of the last link."""
    group = confluent_kafka.Consumer(
        {**settings.kafka(), "group.id": settings.application_id, "enable.auto.commit": False}
    )
    first: tuple[float, float, float, int] | None = None
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        taken = max(0, retrying(lambda: group.committed([place], timeout=30))[0].offset)
        if first is None and taken >= wanted // WARM_UP_SHARE:
            first = time.monotonic(), use.cpu_seconds(), use.cpu_seconds_of(LIBRDKAFKA), taken
        elif first is not None and taken >= wanted:
            seconds, done = time.monotonic() - first[0], wanted - first[3]
            cpu, librdkafka = use.cpu_seconds() - first[1], use.cpu_seconds_of(LIBRDKAFKA) - first[2]
            group.close()
            return Worker(done / seconds, cpu / done * 1e6, librdkafka / done * 1e6, use.peak_mb())
        time.sleep(POLL_SECONDS)
    message = f"the worker had not taken all links after {TIMEOUT_SECONDS:.0f} s"
    raise TimeoutError(message)


@contextmanager
def one_core() -> Iterator[None]:
    """The process on one core, the one that the worker gets too."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def say(line: str) -> None:
    """Print at once, so that a killed benchmark has printed its results so far."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
