"""What an event costs with many profiles in state, how fast state is restored, and how large a profile is.

A worker processes the events of ``TEMPLATES`` customers. Its changelog records are then copied for other customers:
names have a fixed width and profile ids follow from names, so a copy is the original with both replaced. A new
deployment restores the copies from its changelog, and processes events of all these customers.
"""

import random
import re
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from pipeline.clock import wall_clock_ms
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.partitioner import partition_of
from pipeline.local.ports import free_ports
from pipeline.obs import metrics as m
from pipeline.settings import Settings
from pipeline.state import layout
from pipeline.topics import CHANGELOGS
from tests.bench.core import encoded
from tests.bench.deployment import PARTITIONS, Positions, deployment, load_producer, produce, worker
from tests.bench.outputs import last_values
from tests.bench.process import ProcessUse
from tests.bench.throughput import WARM_UP_SHARE, measured
from tests.bench.workload import NAMES

TEMPLATES: Final = 500
EVENTS_EACH: Final = 8
TENANT: Final = "default"
NAME: Final = re.compile(rb"(?<=[ub])\d{7}(?!\d)")
PROFILE_ID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
COPIED: Final = {"intake": (layout.ANCHORS,), "profile": (layout.PROFILES, layout.TIMERS)}
"""Stage to the tables with rows of single customers."""
READY_SECONDS = 600.0
DUE_BYTES: Final = 8


class AtScale(msgspec.Struct):
    """One worker whose state was restored from a changelog with so many profiles."""

    profiles: int
    cpu_us_per_event: float
    restored_rows_per_second: float
    bytes_on_disk: int
    bytes_in_changelog: int
    """Keys and values as sent, before compression."""
    peak_mb: float


def customer_events(number: int, customers: int, first_message: int, seed: int = 3) -> Iterator[dict[str, Any]]:
    """Yields events of customers in turn, with names of a fixed width."""
    chance, end_ms = random.Random(seed), wall_clock_ms()
    for at in range(number):
        user = (
            at % customers if number <= customers * EVENTS_EACH and not first_message else chance.randrange(customers)
        )
        channel, name = NAMES[chance.randrange(len(NAMES))]
        properties: dict[str, Any] = {"sku": f"SKU-{chance.randrange(5000)}", "price": chance.randrange(5, 300)}
        if name == "order_completed":
            properties = {"order_id": f"o{first_message + at}", "total": chance.randrange(10, 500), "currency": "EUR"}
        yield {
            "type": "track", "event": name, "channel": channel, "messageId": f"m{first_message + at}",
            "timestamp": end_ms - (number - at) * 1000, "userId": f"u{user:07d}", "properties": properties,
            "identifiers": {"anonymous_id": f"b{user:07d}"},
        }  # fmt: skip


class Copier:
    """Copies changelog records of the template customers for others."""

    def __init__(self) -> None:
        kinds = ("user_id:u", "anonymous_id:b")
        self._of: dict[bytes, tuple[str, int]] = {
            profile_id(TENANT, f"{kind}{number:07d}").encode(): (kind, number)
            for kind in kinds
            for number in range(TEMPLATES)
        }

    def copied(self, data: bytes, block: int) -> bytes:
        """Returns the bytes with every customer's number raised by ``block * TEMPLATES``."""
        if not block:
            return data
        data = NAME.sub(lambda name: b"%07d" % (int(name[0]) + block * TEMPLATES), data)
        return PROFILE_ID.sub(lambda found: self._id(found[0], block), data)

    def _id(self, known: bytes, block: int) -> bytes:
        if known not in self._of:
            return known
        kind, number = self._of[known]
        return profile_id(TENANT, f"{kind}{number + block * TEMPLATES:07d}").encode()


def templates(bootstrap: str, home: Path, name: str, rules: Path | None) -> dict[str, dict[bytes, bytes]]:
    """Returns the changelog of a worker that has processed the template customers' events, by stage."""
    settings = deployment(bootstrap, name, home, rules)
    records = encoded(customer_events(TEMPLATES * EVENTS_EACH, TEMPLATES, 0), rules)
    produce(settings, records)
    with Positions(settings) as positions, worker(settings):
        _wait(lambda: positions.events_taken() >= len(records) and positions.touches_done())
    return {stage: last_values(settings, CHANGELOGS[stage].of(name)) for stage in COPIED}


def fill(settings: Settings, changelogs: dict[str, dict[bytes, bytes]], profiles: int) -> int:
    """Writes the changelogs of so many customers. Returns the bytes."""
    copier, producer, total = Copier(), load_producer(settings, linger_ms=50), 0
    for stage, changelog in changelogs.items():
        topic = CHANGELOGS[stage].of(settings.topic_prefix)
        rows = {key: value for key, value in changelog.items() if key.split(b"/", 1)[0].decode() in COPIED[stage]}
        for partition in range(PARTITIONS):
            producer.produce(topic, b"%d" % PARTITIONS, f"{layout.META}/{layout.META_PARTITIONS.decode()}", partition)
        for block in range(profiles // TEMPLATES):
            for key, value in rows.items():
                new_key, new_value = copier.copied(key, block), copier.copied(value, block)
                producer.produce(topic, new_value, new_key, _partition(new_key))
                total += len(new_key) + len(new_value)
            producer.poll(0)
    if producer.flush(120):
        message = "the changelogs were not delivered within 120 s"
        raise TimeoutError(message)
    return total


def _partition(key: bytes) -> int:
    table, _, row = key.partition(b"/")
    return partition_of((row[DUE_BYTES:] if table == layout.TIMERS.encode() else row).decode(), PARTITIONS)


def at_scale(
    bootstrap: str, changelogs: dict[str, dict[bytes, bytes]], name: str, profiles: int, number: int, core: int,
    rules: Path | None,
) -> AtScale:  # fmt: skip
    """Restores so many profiles, then measures ``number`` events of their customers."""
    with tempfile.TemporaryDirectory() as home:
        settings = deployment(bootstrap, name, Path(home), rules, http_port=free_ports(1)[0])
        size = fill(settings, changelogs, profiles)
        with Positions(settings) as positions, worker(settings, core) as pid:
            rate = _restored_rows_per_second(settings)
            records = encoded(customer_events(number, profiles, TEMPLATES * EVENTS_EACH), rules)
            produce(settings, records)
            figures = measured(positions, len(records), len(records) // WARM_UP_SHARE, [ProcessUse(pid)])
        on_disk = sum(file.stat().st_size for file in (Path(home) / "state").rglob("*") if file.is_file())
    return AtScale(profiles, figures.cpu_seconds_per_100k * 10, rate, on_disk, size, figures.peak_mb)


def _restored_rows_per_second(settings: Settings) -> float:
    """Returns the rate from the first restored row that is seen to the last one."""
    first: tuple[float, float] | None = None
    seen: list[tuple[float, float]] = []

    def is_ready() -> bool:
        nonlocal first
        rows, is_restoring = _restore(settings)
        if rows:
            first = first or (time.monotonic(), rows)
            if not seen or rows > seen[-1][1]:
                seen.append((time.monotonic(), rows))
        return bool(rows) and not is_restoring

    _wait(is_ready)
    began, rows_before = first or (0.0, 0.0)
    ended, rows = seen[-1]
    return (rows - rows_before) / (ended - began) if ended > began else 0.0


def _restore(settings: Settings) -> tuple[float, bool]:
    """Returns the restored rows, and whether partitions are still restoring."""
    try:
        with urllib.request.urlopen(f"http://{settings.http_host}:{settings.http_port}/metrics", timeout=20) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
    except urllib.error.URLError:
        return 0.0, True
    samples = [sample for family in families for sample in family.samples]
    rows = sum(sample.value for sample in samples if sample.name == m.RESTORE_ROWS.name)
    held = sum(sample.value for sample in samples if sample.name == m.PARTITIONS.name)
    return rows, not held or any(sample.value for sample in samples if sample.name == m.RESTORING.name)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            message = f"a worker was not ready within {READY_SECONDS:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.05)
