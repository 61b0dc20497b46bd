"""The production environment of a worker: RocksDB in its folder, threads, the brokers, the monotonic clock."""

import shutil
import time
from functools import partial
from typing import Final

from pipeline.kafka.ends import Ends
from pipeline.obs.log import logger
from pipeline.settings import Settings
from pipeline.state.store import MIN_TABLE_FILES, PartitionStore, RocksEngine, RocksOptions
from pipeline.stream.ownership import ProcessEnvironment
from pipeline.stream.restore import roll_forward
from pipeline.stream.restore_threads import RestoreThreads
from pipeline.stream.stages.base import StageSpec

CORRUPTION: Final = "Corruption"
"""Begins RocksDB's message about files that are damaged or missing, and not about a full disk or a held lock."""

log = logger(__name__)


def process_environment(settings: Settings, databases: int) -> ProcessEnvironment:
    """Returns the environment of one process; its stores share one block cache and write-buffer limit.

    ``databases`` is the number of stages times partitions: each keeps an equal part of the files open.
    """
    engine = RocksEngine(
        RocksOptions(
            block_cache_bytes=settings.block_cache_bytes,
            all_write_buffers_bytes=settings.write_buffers_bytes,
            table_files=max(MIN_TABLE_FILES, settings.open_files // databases),
        )
    )
    folder = settings.home / "state" / settings.application_id / f"worker-{settings.worker_id}"

    def open_store(spec: StageSpec, partition: int) -> PartitionStore:
        path = folder / f"{spec.name}-{partition}"
        try:
            return engine.open(path, spec.families)
        except Exception as error:
            if not str(error).startswith(CORRUPTION):
                raise
            log.warning(
                "state_unusable", database=path.name, reason=str(error), action="none: the changelog restores it"
            )
            shutil.rmtree(path)
            return engine.open(path, spec.families)

    return ProcessEnvironment(
        clock=time.monotonic,
        offsets=Ends(settings.kafka()),
        open_store=open_store,
        roll_forward=partial(roll_forward, settings.kafka()),
        restores=RestoreThreads(),
    )
