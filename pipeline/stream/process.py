"""The process of one worker: health pages, signals, the watch over the brokers, and one session after the other."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.backoff import Backoff
from pipeline.kafka.admin import changed_topic
from pipeline.obs import metrics as m
from pipeline.obs.descriptors import DescriptorReserve, DescriptorsError
from pipeline.obs.disk import explained
from pipeline.obs.http import HealthServer
from pipeline.obs.http_thread import HealthThread
from pipeline.obs.librdkafka import drop_replaced_lines
from pipeline.obs.log import logger
from pipeline.settings import Settings
from pipeline.state.partition_count import PartitionsChangedError, explained_change
from pipeline.stream.broker_watch import BrokerWatch
from pipeline.stream.gc_tuning import collect_rarely, collect_young
from pipeline.stream.session import SessionEnded, run_session
from pipeline.stream.stages.base import StageSpec
from pipeline.stream.supervisor import RESUME_SIGNAL
from pipeline.stream.worker import Worker
from pipeline.version import version

CHECK_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 15.0
PAUSE_STEP_SECONDS: Final = 0.2
STALLED_SECONDS: Final = 120.0
"""Longer than a commit waits for brokers that are away. A loop that stands still longer never runs again."""

log = logger(__name__)


class WorkerProcess:
    """Runs sessions until it is to stop or a worker fails for a reason that another session would not remove."""

    def __init__(
        self,
        settings: Settings,
        specs: tuple[StageSpec, ...],
        metrics: m.Metrics,
        new_worker: Callable[[], Worker],
        partitions: int,
    ) -> None:
        """``new_worker`` returns a worker with new clients for the next session.

        ``partitions`` is the number of partitions of every topic; 0: it is not checked.
        """
        self._partitions = partitions
        self._settings, self._specs, self._metrics, self._new_worker = settings, specs, metrics, new_worker
        self._watch = BrokerWatch.of(settings.kafka(), metrics)
        self._stop = asyncio.Event()
        self._resume_due = asyncio.Event()
        self._worker: Worker | None = None
        """The worker of the current session."""
        self._failure: BaseException | None = None
        self._ran_at = time.monotonic()
        """When the event loop last ran."""

    async def run(self) -> None:
        """Runs until SIGTERM, SIGINT or a failure.

        Raises:
            AddressError: The health pages' address is not available.
            DescriptorsError: The process has reached its limit of open files.
            BaseException: The worker's failure, after the open transaction was aborted and the worker has left the
                group.
        """
        reserve = DescriptorReserve()
        try:
            await self._run(reserve)
        except BaseException as error:
            self._failure = explained(self._failure or error)
            raise self._failure from error
        finally:
            reserve.release()
        log.info("worker_stopped", worker=self._settings.worker_id)

    async def _run(self, reserve: DescriptorReserve) -> None:
        loop, settings = asyncio.get_running_loop(), self._settings
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(RESUME_SIGNAL, self._resume_due.set)
        pages = HealthServer(
            self._metrics, ready=self.why_not_ready, alive=self.why_not_alive, host=settings.http_host,
            port=settings.http_port,
        )  # fmt: skip
        thread = HealthThread(pages)
        self._metrics.set(m.WORKER, 1, settings.worker_id, settings.stages, version())
        if settings.http_port:
            thread.start()
        log.info("worker_started", worker=settings.worker_id, stages=settings.stages, http_port=pages.port)
        self._watch.start(lambda seen: loop.call_soon_threadsafe(self._check_partitions, seen))
        beside = [loop.create_task(self._watch_process(reserve)), loop.create_task(collect_young())]
        try:
            await self._run_sessions()
        finally:
            for task in beside:
                task.cancel()
            self._watch.stop()
            thread.stop()

    def fail(self, error: BaseException) -> None:
        """Aborts and ends the process with an error."""
        self._failure = self._failure or error
        if self._worker is not None:
            self._worker.fail(error)
        self._stop.set()

    # Called in the thread of the pages

    def why_not_ready(self) -> Sequence[str]:
        """Returns the reasons; empty if every assigned partition is being processed."""
        worker = self._worker
        return [*self._watch.reasons(), *(worker.why_not_ready() if worker else ["joining the group"])]

    def why_not_alive(self) -> Sequence[str]:
        """Returns the reasons; empty while the process can continue by itself. An absent Kafka is no reason."""
        if self._failure is not None:
            return [f"failed: {type(self._failure).__name__}"]
        stalled = time.monotonic() - self._ran_at
        return [f"the worker has stood still for {stalled:.0f} s"] if stalled > STALLED_SECONDS else []

    def _check_partitions(self, cluster: ClusterMetadata) -> None:
        """Fails if a topic has another number of partitions than at the start: its new partitions would not be read."""
        topic = changed_topic(self._settings, cluster, self._partitions) if self._partitions else None
        if topic is not None and self._failure is None:
            name, count = topic
            self.fail(PartitionsChangedError(explained_change(f"{name} has", count, self._partitions)))

    # Sessions

    async def _run_sessions(self) -> None:
        backoff = Backoff(MAX_PAUSE_SECONDS)
        while not self._stop.is_set():
            began = time.monotonic()
            self._worker = self._new_worker()
            try:
                await run_session(self._settings, self._worker, self._specs, self._stop)
            except SessionEnded as error:
                await self._log_end(error)
            finally:
                self._worker = None
            await self._pause(backoff.failed(time.monotonic() - began))
        if self._failure is not None:
            raise self._failure

    async def _log_end(self, error: SessionEnded) -> None:
        """Logs the end of a session, unless the watch has logged its cause or the process is to stop."""
        if not self._stop.is_set():
            await asyncio.to_thread(self._watch.look)
            if not self._watch.reasons():
                log.warning("session_ended", reason=str(error), action="none: the worker joins again by itself")

    async def _pause(self, seconds: float) -> None:
        """Waits for that long, and then until a broker answers."""
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (time.monotonic() < until or self._watch.reasons()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PAUSE_STEP_SECONDS)

    # What runs beside them

    async def _watch_process(self, reserve: DescriptorReserve) -> None:
        """Notes that the event loop runs, and resumes sources when it is due.

        Fails while enough descriptors are left for an orderly shutdown.
        """
        while True:
            self._ran_at = time.monotonic()
            if self._resume_due.is_set() and self._worker is not None:
                self._resume_due.clear()
                self._resume(self._worker)
            try:
                reserve.check()
            except DescriptorsError as error:
                self.fail(error)
                return
            await asyncio.sleep(CHECK_SECONDS)

    def _resume(self, worker: Worker) -> None:
        try:
            worker.resume_sources()
        except Exception as error:  # noqa: BLE001 - of the commit, whose outcome is unknown
            worker.fail(error)


async def run(
    settings: Settings,
    specs: tuple[StageSpec, ...],
    metrics: m.Metrics,
    new_worker: Callable[[], Worker],
    partitions: int = 0,
) -> None:
    """Runs a worker's process; see :meth:`WorkerProcess.run`."""
    logging.getLogger("faust").setLevel(logging.WARNING)
    logging.getLogger("mode").setLevel(logging.WARNING)
    drop_replaced_lines()
    collect_rarely()
    await WorkerProcess(settings, specs, metrics, new_worker, partitions).run()
