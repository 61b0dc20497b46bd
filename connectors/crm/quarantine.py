"""Quarantines actions that a sink cannot deliver: sends the record byte-identical to the DLQ, the reason in headers."""

from collections.abc import Mapping
from typing import Final, cast

from confluent_kafka import KafkaError, KafkaException, Message

from connectors.crm.sink import SinkError
from pipeline.event.reason import Reason
from pipeline.kafka.clients import idempotent_producer
from pipeline.kafka.dlq_headers import quarantine_headers
from pipeline.kafka.record import Record
from pipeline.kafka.retry import produce_when_free

STAGE: Final = "sink"
FLUSH_SECONDS: Final = 30.0


class Quarantine:
    """Sends records to the deployment's DLQ. :meth:`flush` returns when the brokers hold all of them.

    A runner that is killed between the flush and its next commit quarantines the same record again; topic, partition
    and offset in the headers identify the repetition.
    """

    def __init__(self, kafka: Mapping[str, str | int], dlq: str) -> None:
        self._producer = idempotent_producer(kafka, {"linger.ms": 5})
        self._dlq = dlq
        self._waiting = 0
        self._failed: list[KafkaError] = []
        self.count = 0
        """Records quarantined so far."""

    def add(self, message: Message, reason: Reason, detail: str) -> None:
        """Queues a record.

        Raises:
            SinkError: The producer refused it.
        """
        headers = quarantine_headers(cast("Record", message), STAGE, reason, detail)
        try:
            produce_when_free(
                self._producer, self._dlq, message.value(), message.key(), headers=headers, on_delivery=self._reported
            )
        except KafkaException as error:
            raise SinkError(_problem(error.args[0].str())) from error
        self._waiting += 1
        self.count += 1

    def flush(self) -> None:
        """Waits until the brokers hold every queued record.

        Raises:
            SinkError: The brokers refused a record, or did not answer within ``FLUSH_SECONDS``.
        """
        if not self._waiting:
            return
        left = self._producer.flush(FLUSH_SECONDS)
        if left or self._failed:
            raise SinkError(_problem(self._failed[0].str() if self._failed else "no answer"))
        self._waiting = 0

    def _reported(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)


def _problem(reason: str) -> str:
    return f"the DLQ did not take a record ({reason}); look at the brokers and start the sink again"
