"""The production environment of a worker: RocksDB in its folder, threads, the brokers, the monotonic clock."""

import time
from functools import partial

from pipeline.kafka.ends import Ends
from pipeline.settings import Settings
from pipeline.state.store import PartitionStore, RocksEngine, RocksOptions
from pipeline.stream.ownership import ProcessEnvironment
from pipeline.stream.restore import roll_forward
from pipeline.stream.restore_threads import RestoreThreads
from pipeline.stream.stages.base import StageSpec


def process_environment(settings: Settings) -> ProcessEnvironment:
    """Returns the environment of one process; its stores share one block cache."""
    engine = RocksEngine(RocksOptions(block_cache_bytes=settings.block_cache_bytes))
    folder = settings.home / "state" / settings.application_id / f"worker-{settings.worker_id}"

    def open_store(spec: StageSpec, partition: int) -> PartitionStore:
        return engine.open(folder / f"{spec.name}-{partition}", spec.families)

    return ProcessEnvironment(
        clock=time.monotonic,
        offsets=Ends(settings.kafka()),
        open_store=open_store,
        roll_forward=partial(roll_forward, settings.kafka()),
        restores=RestoreThreads(),
    )
