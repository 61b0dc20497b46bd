"""What ten million identifiers take: bytes on disk and in the changelog, and the time to restore them.

    python -m tests.bench.identity_state [--identifiers 2000000] [--json FILE]

The stage STITCH fills a RocksDB and a changelog topic on a real Kafka as a worker would, 20,000 links a commit; what it
sends is dropped. Then the partition is lost, and rolled forward from the topic by the code that workers restore with.
``--identifiers 10000000`` needs some 6 GB of disk and a quarter of an hour; fewer are extrapolated, as printed.
"""

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import confluent_kafka
import msgspec

from pipeline.kafka.admin import ensure_topics
from pipeline.local.broker import broker
from pipeline.settings import Settings
from pipeline.state.partition import changelog_key
from pipeline.state.store import PartitionStore, RocksEngine, RocksOptions
from pipeline.stream.gc_tuning import collect_rarely
from pipeline.stream.restore import roll_forward
from pipeline.stream.stages.stitch import STITCH
from pipeline.testing.log import MemoryRecord
from pipeline.topics import CHANGELOGS
from tests.bench.links import IDENTIFIERS_A_CUSTOMER, new_links
from tests.bench.stitch import say
from tests.bench.stitch_core import BATCH, COMMIT_EVERY_BATCHES, stage

TARGET = 10_000_000


class Figures(msgspec.Struct):
    """Figures for the requested number of identifiers; bytes are per identifier."""

    identifiers: int
    changelog_records: int
    changelog_bytes: float
    rocksdb_bytes: float
    rows_restored_per_second: float
    restore_seconds: float
    restore_cpu_seconds: float


def main() -> int:
    """Fill, lose, restore, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.identity_state", description=__doc__)
    parser.add_argument("--identifiers", type=int, default=2_000_000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    with broker() as running, tempfile.TemporaryDirectory() as home:
        say(f"broker: {running.description}")
        name = f"bench-state-{time.time_ns()}"
        settings = Settings(
            bootstrap_servers=running.bootstrap_servers, topic_prefix=name, partitions=1, home=Path(home)
        )
        result = measured(settings, options.identifiers)
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(result), indent=2))
    return 0


def measured(settings: Settings, identifiers: int) -> Figures:
    """Fill a partition with so many identifiers, and restore it."""
    ensure_topics(settings)
    engine = RocksEngine(RocksOptions(block_cache_bytes=settings.block_cache_bytes))
    topic = CHANGELOGS[STITCH.name].of(settings.topic_prefix)
    collect_rarely()
    started = time.perf_counter()
    records, logged = filled(settings, engine.open(settings.home / "filled", STITCH.families), topic, identifiers)
    say(
        f"{identifiers:,} identifiers in {records:,} changelog records, filled in {time.perf_counter() - started:.0f} s"
    )
    store = engine.open(settings.home / "restored", STITCH.families)
    started, cpu = time.perf_counter(), time.process_time()
    rows = sum(roll_forward(settings.kafka(), topic, 0, store, is_wanted=lambda: True))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    store.close()
    sizes = {name: size_of(settings.home / name) for name in ("filled", "restored")}
    figures = Figures(
        identifiers, records, logged / identifiers, sizes["restored"] / identifiers, rows / seconds, seconds, cpu
    )
    tell(figures, sizes)
    return figures


def filled(settings: Settings, store: PartitionStore, topic: str, identifiers: int) -> tuple[int, int]:
    """Links through the stage until it holds so many identifiers: changelog records and their bytes, uncompressed."""
    producer = confluent_kafka.Producer(
        {**settings.kafka(), "linger.ms": 50, "compression.type": "lz4", "queue.buffering.max.messages": 2_000_000}
    )
    built, _ = stage(store)
    links, records, logged = new_links(identifiers // IDENTIFIERS_A_CUSTOMER), 0, 0
    encode = msgspec.msgpack.encode
    while batch := list(islice(links, BATCH * COMMIT_EVERY_BATCHES)):
        built.on_batch("", [MemoryRecord("", 0, None, encode(link), None) for link in batch])
        changes = built.state.changes()
        for change in changes:
            key = changelog_key(change)
            producer.produce(topic, change.value, key, 0)
            logged += len(key) + len(change.value or b"")
        producer.poll(0)
        records += len(changes)
        built.state.persist(changes)
    if producer.flush(60):
        message = "the changelog was not delivered within 60 s"
        raise TimeoutError(message)
    store.close()
    return records, logged


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def tell(result: Figures, sizes: dict[str, int]) -> None:
    """The table, and what it comes to for the target; the output states the factor of the extrapolation."""
    times = TARGET / result.identifiers
    output = "measured" if times == 1 else f"extrapolated {times:.0f} times"
    item = {"changelog, uncompressed": result.changelog_bytes, "RocksDB, restored": result.rocksdb_bytes}
    item["RocksDB, as filled"] = sizes["filled"] / result.identifiers
    for name, size in item.items():
        say(f"  {name:24}{size:6.0f} bytes an identifier")
    say(
        f"  restored in {result.restore_seconds:.1f} s ({result.restore_cpu_seconds:.1f} CPU s): "
        f"{result.rows_restored_per_second:,.0f} records/s"
    )
    gigabytes = result.rocksdb_bytes * TARGET / 1e9
    say(f"  ten million ({output}): {gigabytes:.1f} GB, restored in {result.restore_seconds * times:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
