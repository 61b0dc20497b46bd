"""STITCH without Kafka, a layer at a time: a bare union-find loop, the engine, the whole stage."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from pipeline.avro.codecs import Codecs
from pipeline.avro.registry import FileIds
from pipeline.clock import wall_clock_ms
from pipeline.identity.messages import Link
from pipeline.identity.state import StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.kafka.record import Emit
from pipeline.obs.metrics import Metrics
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import NO_BREAKER
from pipeline.state.store import PartitionStore
from pipeline.stream.stages.base import Context
from pipeline.stream.stages.stitch import StitchStage
from pipeline.testing.log import MemoryRecord
from pipeline.testing.store import MemoryStore
from pipeline.testing.table import MemoryTable

BATCH = 4_000
COMMIT_EVERY_BATCHES = 5
WARM_UP_SHARE = 5
Item = TypeVar("Item")


def rate(items: Sequence[Item], take: Callable[[Sequence[Item]], None]) -> float:
    """Items a CPU second behind the warm-up: the rate on a dedicated core."""
    warm_up = len(items) // WARM_UP_SHARE // BATCH * BATCH
    for at in range(0, warm_up, BATCH):
        take(items[at : at + BATCH])
    started = time.process_time()
    for at in range(warm_up, len(items), BATCH):
        take(items[at : at + BATCH])
    return (len(items) - warm_up) / (time.process_time() - started)


def union_find() -> Callable[[Sequence[Link]], None]:
    """Path halving over a dict of parents. Without ids, stored links, limits and output."""
    parents: dict[str, str] = {}

    def find(ident: str) -> str:
        while (parent := parents.setdefault(ident, ident)) != ident:
            parents[ident] = ident = parents[parent]
        return ident

    def take(links: Sequence[Link]) -> None:
        for link in links:
            a, b = find(link.anchor), find(link.other)
            if a != b:
                parents[b] = a

    return take


def engine() -> Callable[[Sequence[Link]], None]:
    """The shipped rules over tables in memory: every effect is made, none is sent."""
    stitcher = Stitcher("default", load_rules().identity, StitchTables(MemoryTable(), MemoryTable()))

    def take(links: Sequence[Link]) -> None:
        stitcher.on_links(links, 0)

    return take


def stage(store: Any = None, emit: Emit | None = None) -> tuple[StitchStage, Callable[[Sequence[bytes]], None]]:
    """The stage over a store, by default in memory; and what takes a batch of encoded links, committing now and then.

    Bytes in, bytes out: without ``emit`` the records are made and dropped.
    """
    built = StitchStage(context(emit or _drop), 0, cast("PartitionStore", store or MemoryStore()))
    batches = 0

    def take(values: Sequence[bytes]) -> None:
        nonlocal batches
        built.on_batch("", [MemoryRecord("", 0, None, value, None) for value in values])
        batches += 1
        if batches % COMMIT_EVERY_BATCHES == 0:
            built.state.persist(built.state.changes())

    return built, take


def context(emit: Emit) -> Context:
    """What a worker would lend the stage, with the shipped rules."""
    return Context(
        settings=Settings(), rules=load_rules(), codecs=Codecs(FileIds(), "cdp"), clock=wall_clock_ms, emit=emit,
        partition_of=lambda _key: 0, breaker=NO_BREAKER, metrics=Metrics(),
    )  # fmt: skip


def _drop(*_: object) -> None:
    """Nobody reads."""
