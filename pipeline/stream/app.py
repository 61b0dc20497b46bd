"""The Faust application of one session: one agent per stage on the batch transport."""

from typing import Any

import faust
from yarl import URL

from pipeline.kafka.clients import member
from pipeline.settings import Settings
from pipeline.stream.faust_transport import CODEC, BatchTransport
from pipeline.stream.stages.base import StageSpec
from pipeline.stream.worker import Worker

MAX_HEARTBEAT_MS = 3_000


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
