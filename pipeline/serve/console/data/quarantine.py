"""The quarantine of the whole deployment: counts, records, replays."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from confluent_kafka import Message
from sqlalchemy import func, select

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.control.replay import SOURCES, Replay
from pipeline.errors import OperatorError
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.query.quarantine import Entry, Listing, entry_of
from pipeline.serve.console.views import JsonObject, QuarantinedRecord
from pipeline.serve.model import tables
from pipeline.serve.model.store import Store
from pipeline.settings import Settings
from pipeline.topics import ACTION_DLQ, DLQ, Topic

TIMEOUT_SECONDS: Final = 10.0
_PLACE: Final = re.compile(r"([0-9]{1,6}):([0-9]{1,18})")


class NoKafkaError(OperatorError):
    """The process answers from the database alone. Operator action: set STITCHLINE_BOOTSTRAP_SERVERS."""


class QuarantineData:
    """Reads the facts of records from the read model, and their bytes from Kafka."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings

    def listing(self, reason: str, limit: int, *, actions: bool) -> Listing:
        """Returns counts by cause and the newest records, all or of one reason."""
        rows = tables.quarantine.c
        of_topic = [rows.topic == _dlq(actions=actions).name] + ([rows.reason == reason] if reason else [])
        records = func.count().label("records")
        with self._store.reading() as connection:
            counts = connection.execute(
                select(rows.reason, rows.stage, records)
                .where(*of_topic)
                .group_by(rows.reason, rows.stage)
                .order_by(records.desc(), rows.reason, rows.stage)
            ).all()
            newest = connection.execute(
                select(rows.body).where(*of_topic).order_by(rows.quarantined_ms.desc(), rows.offset.desc()).limit(limit)
            ).scalars()
            entries = [msgspec.json.decode(body, type=Entry) for body in newest]
        causes = [{"reason": row.reason, "stage": row.stage, "records": row.records} for row in counts]
        return Listing(sum(row.records for row in counts), causes, entries)

    def record(self, place: str, *, actions: bool) -> QuarantinedRecord | None:
        """Returns the record at ``partition:offset``, decoded where it can be; None if there is none."""
        message = self._message(place, _dlq(actions=actions))
        if message is None:
            return None
        entry = entry_of(message)
        decoded, fault = self._decoded(entry, message, _dlq(actions=actions))
        return QuarantinedRecord(entry, decoded, fault, len(message.value() or b""))

    def replay(self, reason: str, *, actions: bool, dry_run: bool) -> Mapping[str, int]:
        """Sends records back to their topics, each once, or counts those that would be sent. Returns counts."""
        self._require_kafka()
        with Replay(self._settings, dry_run=dry_run, dlq=_dlq(actions=actions)) as run:
            return dict(run.run(reason).replayed)

    def _require_kafka(self) -> None:
        if not self._settings.bootstrap_servers:
            message = "This server has no Kafka; set STITCHLINE_BOOTSTRAP_SERVERS and start it again."
            raise NoKafkaError(message)

    def _message(self, place: str, dlq: Topic) -> Message | None:
        self._require_kafka()
        match = _PLACE.fullmatch(place)
        kafka, topic = self._settings.kafka(), dlq.of(self._settings.topic_prefix)
        if match is None or int(match[1]) >= partitions_of(kafka, topic):
            return None
        partition, offset = int(match[1]), int(match[2])
        reading = Reading(kafka, topic, [partition], begin={partition: offset}, timeout_seconds=TIMEOUT_SECONDS)
        first = next(reading.batches(), None)
        return first[0] if first and first[0].offset() == offset else None

    def _decoded(self, entry: Entry, message: Message, dlq: Topic) -> tuple[JsonObject | None, str]:
        schemas = {topic.of(self._settings.topic_prefix): topic.value for topic in SOURCES[dlq]}
        if entry.topic not in schemas:
            return None, "Its topic is not one of this deployment's."
        ids = schema_ids(self._settings.schema_registry_url)
        try:
            return Decoder(schemas[entry.topic], ids.writer)(message.value()), ""
        except Undecodable as error:
            return None, str(error)


def _dlq(*, actions: bool) -> Topic:
    return ACTION_DLQ if actions else DLQ
