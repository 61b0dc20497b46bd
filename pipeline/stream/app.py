"""The Faust application of one worker: one agent per stage, the commit timer, health pages and an orderly shutdown."""

import asyncio
import logging
import signal
from typing import Any

import faust
from yarl import URL

from pipeline.kafka.clients import member
from pipeline.obs import metrics as m
from pipeline.obs.descriptors import DescriptorReserve, DescriptorsError, explained
from pipeline.obs.http import HealthServer
from pipeline.obs.log import logger
from pipeline.settings import Settings
from pipeline.stream.faust_transport import CODEC, BatchTransport
from pipeline.stream.gc_tuning import collect_rarely
from pipeline.stream.stages.base import StageSpec
from pipeline.stream.vitals import INTERVAL_SECONDS
from pipeline.stream.worker import Worker
from pipeline.version import version

IDLE_CHECK_SECONDS = 0.02
MAX_HEARTBEAT_MS = 3_000
DESCRIPTORS_CHECK_SECONDS = 1.0

log = logger(__name__)


def build_app(settings: Settings, worker: Worker, specs: tuple[StageSpec, ...]) -> faust.App:
    """Returns a Faust app on the batch transport.

    Faust's tables, leader topic, web server and offset commits are switched off.
    """
    datadir = settings.home / "faust" / settings.worker_id
    datadir.mkdir(parents=True, exist_ok=True)
    url = f"kafka://{settings.bootstrap_servers.split(',')[0]}"
    app = faust.App(
        settings.application_id,
        broker=url,
        stream_wait_empty=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        datadir=str(datadir),
    )
    app.conf.broker_commit_interval = 1e9  # seconds, so never: offsets are committed in the unit of work's transaction
    transport = BatchTransport([URL(url)], app)
    transport.worker = worker
    transport.batch_records = settings.batch_records
    transport.open_client = lambda: member(settings.kafka(), settings.application_id, _options(settings))
    app.transport = transport
    for spec in specs:
        _add_agent(app, worker, spec)
    return app


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "client.id": f"{settings.application_id}-{settings.worker_id}",
        "partition.assignment.strategy": "range",  # partition i of every topic on one worker
        "session.timeout.ms": settings.session_timeout_ms,
        # Capped, because members learn of a rebalance from the answer to their next heartbeat.
        "heartbeat.interval.ms": min(MAX_HEARTBEAT_MS, max(300, settings.session_timeout_ms // 6)),
        "max.poll.interval.ms": 300_000,
        "fetch.wait.max.ms": 50,
        "queued.max.messages.kbytes": 128 << 10,
    }


def _add_agent(app: faust.App, worker: Worker, spec: StageSpec) -> None:
    topics = app.topic(
        *(topic.of(worker.settings.topic_prefix) for topic in spec.inputs), key_serializer="raw", value_serializer=CODEC
    )

    async def agent(batches: Any) -> None:
        async for batch in batches:
            if worker.failure is None:
                try:
                    worker.take(spec.name, batch)
                except Exception as error:  # noqa: BLE001 - Faust would acknowledge the event and go on without it
                    worker.fail(error)

    app.agent(topics, name=f"stitchline.{spec.name}")(agent)


async def run(settings: Settings, worker: Worker, specs: tuple[StageSpec, ...]) -> None:
    """Runs the worker until SIGTERM, SIGINT or a failure of the worker.

    Raises:
        DescriptorsError: The process has reached its limit of open files.
        BaseException: The worker's failure, after the open transaction was aborted and the worker has left the group.
    """
    logging.getLogger("faust").setLevel(logging.WARNING)
    logging.getLogger("mode").setLevel(logging.WARNING)
    collect_rarely()
    reserve = DescriptorReserve()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, worker.unit.start)
    app = build_app(settings, worker, specs)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pages = HealthServer(
        worker.metrics,
        ready=worker.why_not_ready,
        alive=worker.why_not_alive,
        host=settings.http_host,
        port=settings.http_port,
    )
    worker.metrics.set(m.WORKER, 1, settings.worker_id, settings.stages, version())
    if settings.http_port:
        await pages.start()
    log.info("worker_started", worker=settings.worker_id, stages=settings.stages, http_port=pages.port)
    await app.start()
    watch = loop.create_task(_show(worker))
    descriptors = loop.create_task(_watch_descriptors(worker, reserve))
    try:
        await _commit_until(worker, stop)
    finally:
        watch.cancel()
        descriptors.cancel()
        await app.stop()
        await pages.stop()
        reserve.release()
    if worker.failure is not None:
        raise explained(worker.failure)
    log.info("worker_stopped", worker=settings.worker_id)


async def _watch_descriptors(worker: Worker, reserve: DescriptorReserve) -> None:
    """Fails the worker while enough descriptors are left for an orderly shutdown."""
    while True:
        try:
            reserve.check()
        except DescriptorsError as error:
            worker.fail(error)
            return
        await asyncio.sleep(DESCRIPTORS_CHECK_SECONDS)


async def _commit_until(worker: Worker, stop: asyncio.Event) -> None:
    while not stop.is_set() and worker.failure is None:
        wait = worker.seconds_to_commit()
        if wait <= 0:
            try:
                worker.tick()
                worker.commit()
            except Exception as error:  # noqa: BLE001 - the outcome is unknown; the next process restores from the changelog
                worker.fail(error)
            continue
        await asyncio.sleep(max(wait, IDLE_CHECK_SECONDS))


async def _show(worker: Worker) -> None:
    """Updates the gauges every ``INTERVAL_SECONDS`` until cancelled."""
    while True:
        worker.show(await worker.offsets.of(worker.poller.held))
        await worker.stability.look(worker.poller.held)
        worker.unit.poll()  # an idle worker does not poll its producer, whose log lines need it
        await asyncio.sleep(INTERVAL_SECONDS)
