"""The three stages in a loop: what the job costs without Kafka, RocksDB and transactions."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from connectors.sources.outgoing import EventEncoder, Outgoing
from pipeline.avro.registry import FileIds
from pipeline.clock import wall_clock_ms
from pipeline.event.parse import Defaults
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.stream.gc_tuning import collect_rarely
from pipeline.topics import ALL, EVENTS, TOUCHES

PREFIX = "cdp"
CHUNK = 3_000
OUTPUTS = [topic for topic in ALL if topic not in {TOUCHES, *EVENTS.values()}]


def encoded(documents: Iterable[dict[str, Any]], rules: Path | None) -> list[Outgoing]:
    """The workload as producers would put it on the topics."""
    loaded = load_rules(rules)
    defaults = Defaults(tenant="default", source="", channel=None)
    encode = EventEncoder(loaded.intake, loaded.identifiers, FileIds(), PREFIX, defaults)
    made = [encode(document) for document in documents]
    return [record for record in made if isinstance(record, Outgoing)]


def in_a_loop(records: list[Outgoing], warm_up: int, rules: Path | None) -> float:
    """Events per second after the warm-up, on one core."""
    simulation = Simulation(Settings(topic_prefix=PREFIX), load_rules(rules), wall_clock_ms)
    collect_rarely()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        _run(simulation, records[:warm_up])
        started = time.perf_counter()
        _run(simulation, records[warm_up:])
        return (len(records) - warm_up) / (time.perf_counter() - started)
    finally:
        os.sched_setaffinity(0, cores)


def _run(simulation: Simulation, records: list[Outgoing]) -> None:
    for at in range(0, len(records), CHUNK):
        for record in records[at : at + CHUNK]:
            simulation.feed(record.topic, record.key, record.value)
        simulation.settle()
        for topic in OUTPUTS:
            simulation.take(topic)
