"""The writer's process: waits until it is the only writer, follows the topics, and serves its health pages."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection

from pipeline.avro.registry import schema_ids
from pipeline.clock import wall_clock_ms
from pipeline.errors import OperatorError
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.follow import Follower, Place
from pipeline.obs.log import logger
from pipeline.serve.model.fold import Fold
from pipeline.serve.model.kinds.quarantined import forget_deleted
from pipeline.serve.model.store import Store, create_model
from pipeline.serve.model.writer import TopicsChangedError, Writer, positions
from pipeline.serve.model.writer_lock import writer_connection
from pipeline.settings import Settings
from pipeline.topics import ACTION_DLQ, DLQ

STANDBY_SECONDS: Final = 1.0
"""How often a process that is not the writer tries to become it."""

DLQS: Final = frozenset({DLQ.name, ACTION_DLQ.name})

log = logger(__name__)


class OtherWriterError(OperatorError):
    """Another process writes to the database, so that it cannot be rebuilt.

    Operator action: end that process first.
    """


def rebuild(store: Store, prefix: str) -> None:
    """Deletes the model; the next writer reads the topics from their beginning. API keys are kept.

    Raises:
        OtherWriterError: another process is the writer.
    """
    with writer_connection(store) as connection:
        if connection is None:
            message = f"another process writes to {store.place}: end it, then rebuild"
            raise OtherWriterError(message)
        with connection.begin():
            create_model(connection, prefix)


def follow(settings: Settings, store: Store, stopped: Callable[[], bool]) -> None:
    """Follows the topics until ``stopped``, creating missing ones. Waits while another process is the writer.

    Raises:
        NoBrokerError: no broker answers.
        TopicsChangedError: a topic was deleted and created again.
        RowFormatError: a changelog row is of another version.
    """
    waited = False
    while not stopped():
        with writer_connection(store) as connection:
            if connection is not None:
                log.info("serve_writing", database=store.place)
                _write(settings, connection, stopped)
                return
        if not waited:
            log.info("serve_standby", reason="another process is the writer of this database")
        waited = True
        time.sleep(STANDBY_SECONDS)


def _write(settings: Settings, connection: Connection, stopped: Callable[[], bool]) -> None:
    ensure_topics(settings)
    fold = Fold(schema_ids(settings.schema_registry_url).writer, settings.topic_prefix)
    with connection.begin():
        begin = positions(connection)
    with Follower(settings.kafka(), fold.topics, from_start=True, begin=begin) as follower:
        bounds = follower.bounds()
        check_positions(begin, bounds)
        with connection.begin():
            for (topic, partition), (earliest, _) in bounds.items():
                if (name := topic.removeprefix(f"{settings.topic_prefix}.")) in DLQS:
                    forget_deleted(connection, name, partition, earliest)
        Writer(connection, fold, follower, wall_clock_ms).run(stopped)


def check_positions(begin: Mapping[Place, int], bounds: Mapping[Place, tuple[int, int]]) -> None:
    """Compares stored offsets with the topics. Logs records that were deleted before they were read.

    Raises:
        TopicsChangedError: a stored offset is beyond the end of its partition.
    """
    for place, (earliest, end) in bounds.items():
        at = begin.get(place)
        if at is not None and at > end:
            message = (
                f"partition {place[1]} of {place[0]} ends at offset {end}, before {at}, up to which it was read: the "
                "topic was created again; run: stitchline serve --rebuild"
            )
            raise TopicsChangedError(message)
        if at is not None and at < earliest:
            log.warning("serve_records_deleted", topic=place[0], partition=place[1], records=earliest - at)
