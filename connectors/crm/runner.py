"""From the actions topic into a sink: committed actions only, in order, until told to stop."""

from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, TypeAlias

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, OFFSET_STORED, KafkaError, Message, TopicPartition

from connectors.crm.sink import Action, CrmSink, SinkError
from pipeline.kafka.clients import KafkaConsumer, member

Decode: TypeAlias = Callable[[bytes], dict[str, Any]]
"""The fields of a ``crm-action`` record from its value."""

BATCH_RECORDS = 500
POLL_SECONDS = 0.2


class SinkRunner:
    """One consumer feeding one sink.

    ``group`` is the consumer group, which a lag monitor can watch; it names one sink, not one process: a second process
    takes its place at once. Offsets are committed after :meth:`CrmSink.deliver` returned, never before.
    """

    def __init__(self, kafka: Mapping[str, str | int], topic: str, group: str, sink: CrmSink, decode: Decode) -> None:
        self._topic = topic
        self._sink = sink
        self._decode = decode
        self._ended: set[int] = set()
        self._assigned: set[int] = set()
        self._delivered = 0
        self._consumer = member(
            kafka,
            group,
            {"group.instance.id": group, "auto.offset.reset": "earliest" if sink.positions() is None else "error"},
        )

    @property
    def delivered(self) -> int:
        """Actions handed to the sink so far."""
        return self._delivered

    def run(self, stop: Event, *, drain: bool = False) -> None:
        """Deliver until ``stop`` is set, or with ``drain`` until everything that is there now is delivered.

        Raises:
            SinkError: from the sink, or because Kafka no longer holds (or never held) the sink's position.
            confluent_kafka.KafkaException: Kafka refused for good.
        """
        self._consumer.subscribe([self._topic], on_assign=self._assign, on_revoke=self._revoke)
        try:
            while not stop.is_set():
                self._take(self._consumer.consume(BATCH_RECORDS, POLL_SECONDS))
                if drain and self._assigned and self._assigned <= self._ended:
                    return
        finally:
            self._consumer.close()

    def _take(self, messages: list[Message]) -> None:
        actions = []
        for message in messages:
            if (error := message.error()) is None:
                self._ended.discard(message.partition() or 0)
                actions.append(self._action(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add(message.partition() or 0)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                problem = f"{self._topic} does not hold the sink's position ({error.str()}); was it created again?"
                raise SinkError(problem)
            elif error.fatal() or not error.retriable():
                raise confluent_kafka.KafkaException(error)
        if actions:
            self._sink.deliver(actions)
            self._delivered += len(actions)
            self._consumer.commit(offsets=_after(self._topic, actions), asynchronous=True)

    def _action(self, message: Message) -> Action:
        partition, offset, value = message.partition() or 0, message.offset() or 0, message.value()
        try:
            body = self._decode(bytes(value or b""))
        except ValueError as error:
            problem = f"{self._topic} partition {partition} offset {offset} is not a crm-action: {error}"
            raise SinkError(problem) from error
        return Action(partition, offset, body)

    def _assign(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        positions = self._sink.positions()
        for partition in partitions:
            if positions is None:
                partition.offset = OFFSET_STORED
            else:
                partition.offset = positions.get(partition.partition, OFFSET_BEGINNING)
        self._assigned = {partition.partition for partition in partitions}
        self._ended.clear()
        consumer.assign(partitions)

    def _revoke(self, _consumer: KafkaConsumer, _partitions: list[TopicPartition]) -> None:
        self._assigned = set()


def _after(topic: str, actions: list[Action]) -> list[TopicPartition]:
    """The offset after the last action of each partition."""
    last = {action.partition: action.offset + 1 for action in actions}
    return [TopicPartition(topic, partition, offset) for partition, offset in last.items()]
