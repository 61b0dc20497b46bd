"""``make bench``: the whole job on a real Kafka beside the same stages in a loop, in one run.

    python -m tests.bench [--events 300000] [--users 50000] [--json FILE]

The worker process and the loop are pinned to one core each in turn; the broker has the others. Every run's output is
counted: a benchmark that loses an event fails.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import confluent_kafka

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.event.parse import Defaults
from pipeline.local.broker import broker
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.stream.admin import ensure_topics
from pipeline.stream.build import wall_clock_ms
from pipeline.stream.registry import FileIds
from pipeline.stream.simulate import Simulation
from pipeline.topics import ALL, EVENTS, TOUCHES
from tests.bench.process import ProcessUse
from tests.bench.workload import events

CHUNK = 3_000
TIMEOUT_S = 600.0


def main() -> int:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    print(f"{options.events} events of {options.users} users, {platform.processor() or platform.machine()}, "
          f"{os.cpu_count()} cores, Python {platform.python_version()}", flush=True)  # fmt: skip
    records = encoded(options.events, options.users)
    core = in_a_loop(records)
    print(f"stages in a loop, in memory   {core:10,.0f} events/s", flush=True)
    with broker() as running, tempfile.TemporaryDirectory() as home:
        print(f"broker: {running.description}", flush=True)
        whole = on_kafka(running.bootstrap_servers, Path(home), records)
    print(f"whole job, transactions, Kafka {whole['events_per_second']:9,.0f} events/s per worker process, "
          f"{whole['cpu_seconds_per_100k']:.2f} CPU s per 100,000 events, peak {whole['peak_mb']:.0f} MB")  # fmt: skip
    print(f"ratio whole job / loop         {whole['events_per_second'] / core:9.2f}")
    if options.json:
        options.json.write_text(json.dumps({"loop_events_per_second": core, **whole}, indent=2))
    return 0


def encoded(number: int, users: int) -> list[Outgoing]:
    """The workload as producers would put it on the topics."""
    rules = load_rules(None)
    encode = EventEncoder(
        rules.intake, rules.identifiers, FileIds(), "cdp", Defaults(tenant="default", source="", channel=None)
    )
    made = [encode(event) for event in events(number, users, wall_clock_ms())]
    return [record for record in made if isinstance(record, Outgoing)]


def in_a_loop(records: list[Outgoing]) -> float:
    """Events per second of the three stages over a log and a store in memory."""
    simulation = Simulation(Settings(topic_prefix="cdp", clock="wall"), load_rules(None), wall_clock_ms)
    outputs = [topic for topic in ALL if topic not in {TOUCHES, *EVENTS.values()}]
    affinity = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(affinity)})
    started = time.perf_counter()
    for at in range(0, len(records), CHUNK):
        for record in records[at : at + CHUNK]:
            simulation.feed(record.topic, record.key, record.value)
        simulation.settle()
        for topic in outputs:
            simulation.take(topic)
    seconds = time.perf_counter() - started
    os.sched_setaffinity(0, affinity)
    return len(records) / seconds


def on_kafka(bootstrap: str, home: Path, records: list[Outgoing]) -> dict[str, float]:
    """Events per second of one worker process, from its first commit to its last."""
    settings = Settings(
        bootstrap_servers=bootstrap, topic_prefix="bench", application_id="bench", partitions=4, home=home
    )
    ensure_topics(settings)
    produce(settings, records)
    environment = {
        **os.environ,
        "STITCHLINE_BOOTSTRAP_SERVERS": bootstrap,
        "STITCHLINE_TOPIC_PREFIX": "bench",
        "STITCHLINE_APPLICATION_ID": "bench",
        "STITCHLINE_HOME": str(home),
        "STITCHLINE_LOG_LEVEL": "warning",
    }
    core = min(os.sched_getaffinity(0))
    worker = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "worker"],
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - before any thread
    )
    use = ProcessUse(worker.pid)
    try:
        return measured(settings, len(records), use)
    finally:
        worker.terminate()
        worker.wait(30)


def produce(settings: Settings, records: list[Outgoing]) -> None:
    """Put the workload on the topics before the clock starts."""
    producer = confluent_kafka.Producer(
        {**settings.kafka(), "partitioner": "murmur2_random", "linger.ms": 50, "compression.type": "lz4"}
    )
    for record in records:
        producer.produce(record.topic.replace("cdp.", "bench.", 1), record.value, record.key)
        producer.poll(0)
    if producer.flush(60):
        message = "the workload was not delivered within 60 s"
        raise TimeoutError(message)


def measured(settings: Settings, wanted: int, use: ProcessUse) -> dict[str, float]:
    """Count committed touches until every event has come through, then wait for PROFILE to have taken them."""
    topics = [topic.of(settings.topic_prefix) for topic in (*EVENTS.values(), TOUCHES)]
    places = [confluent_kafka.TopicPartition(topic, p) for topic in topics for p in range(settings.partitions)]
    group = confluent_kafka.Consumer(
        {**settings.kafka(), "group.id": settings.application_id, "enable.auto.commit": False}
    )
    deadline = time.monotonic() + TIMEOUT_S
    first: tuple[float, float, int] | None = None
    while time.monotonic() < deadline:
        positions = group.committed(places, timeout=30)
        taken = sum(max(0, p.offset) for p in positions if not p.topic.endswith(TOUCHES.name))
        if taken and first is None:
            first = time.monotonic(), use.cpu_seconds(), taken
        if taken >= wanted and first is not None and _caught_up(group, positions):
            seconds, cpu = time.monotonic() - first[0], use.cpu_seconds() - first[1]
            done = wanted - first[2]
            group.close()
            return {
                "events_per_second": done / seconds,
                "cpu_seconds_per_100k": cpu / done * 100_000,
                "peak_mb": use.peak_mb(),
            }
        time.sleep(0.05)
    message = f"the worker had not taken all events after {TIMEOUT_S:.0f} s"
    raise TimeoutError(message)


def _caught_up(group: confluent_kafka.Consumer, positions: list[confluent_kafka.TopicPartition]) -> bool:
    """Whether PROFILE stands at the end of the touches; the last offset may be a transaction's marker."""
    for place in positions:
        if place.topic.endswith(TOUCHES.name):
            _, end = group.get_watermark_offsets(place, timeout=10)
            if max(0, place.offset) < end - 1:
                return False
    return True


if __name__ == "__main__":
    sys.exit(main())
