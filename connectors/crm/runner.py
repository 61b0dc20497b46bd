"""Delivers committed actions to a sink, in order. Commits an offset only after its action is settled."""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any, Final, NamedTuple, TypeAlias

from confluent_kafka import OFFSET_BEGINNING, OFFSET_STORED, KafkaError, KafkaException, Message, TopicPartition

from connectors.crm.quarantine import Quarantine
from connectors.crm.sink import Action, CrmSink, Delivered, NeedsReview, Outcome, Refused, RetryLater, SinkError
from pipeline.event.reason import Reason
from pipeline.kafka.clients import KafkaConsumer, member

Decode: TypeAlias = Callable[[bytes], dict[str, Any]]
"""Returns the fields of a ``crm-action`` record from its value. Raises ValueError if the value is not one."""

BATCH_RECORDS: Final = 500
POLL_SECONDS: Final = 0.2
SETTLED: Final = {Refused: Reason.SINK_REFUSED, NeedsReview: Reason.SINK_REVIEW}
"""Outcomes that end in quarantine."""


class _Pending(NamedTuple):
    """An action that is not settled, and its record in case of quarantine."""

    action: Action
    message: Message


class SinkRunner:
    """One consumer that feeds one sink.

    ``group`` is the consumer group, which lag monitors can watch. It identifies the sink, not the process, so a second
    process takes over at once. An offset is committed after its action is delivered or quarantined, never before. A
    record that is not an action is quarantined byte-identical and does not stop the sink.
    """

    def __init__(
        self,
        kafka: Mapping[str, str | int],
        topic: str,
        group: str,
        sink: CrmSink,
        *,
        decode: Decode,
        quarantine: Quarantine,
    ) -> None:
        self._topic, self._sink, self._decode, self._quarantine = topic, sink, decode, quarantine
        self._ended: set[int] = set()
        self._assigned: set[int] = set()
        self._epoch = 0
        self._delivered = 0
        start = "earliest" if sink.positions() is None else "error"
        self._consumer = member(kafka, group, {"group.instance.id": group, "auto.offset.reset": start})

    @property
    def delivered(self) -> int:
        """Returns the number of actions delivered so far."""
        return self._delivered

    @property
    def quarantined(self) -> int:
        """Returns the number of records quarantined so far: refused, in need of a review, or not an action."""
        return self._quarantine.count

    def run(self, stop: Event, *, drain: bool = False) -> None:
        """Delivers until ``stop`` is set. With ``drain``, returns as soon as every partition is read to its end.

        Raises:
            SinkError: The sink failed, or Kafka no longer holds (or never held) the sink's position.
            KafkaException: Kafka returned an error that is not retriable.
        """
        self._consumer.subscribe([self._topic], on_assign=self._assign, on_revoke=self._revoke)
        try:
            while not stop.is_set():
                messages = self._consumer.consume(BATCH_RECORDS, POLL_SECONDS)
                self._deliver(self._actions(messages), stop)
                if drain and self._assigned and self._assigned <= self._ended:
                    return
        finally:
            self._consumer.close()

    def _actions(self, messages: Sequence[Message]) -> list[_Pending]:
        pending = []
        for message in messages:
            if (error := message.error()) is None:
                self._ended.discard(message.partition() or 0)
                try:
                    body = self._decode(bytes(message.value() or b""))
                except ValueError as undecodable:
                    self._quarantine.add(message, Reason.UNDECODABLE, str(undecodable))
                    continue
                pending.append(_Pending(Action(message.partition() or 0, message.offset() or 0, body), message))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add(message.partition() or 0)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                problem = f"{self._topic} does not hold the sink's position ({error.str()}); was it created again?"
                raise SinkError(problem)
            elif error.fatal() or not error.retriable():
                raise KafkaException(error)
        self._quarantine.flush()
        return pending

    def _deliver(self, pending: list[_Pending], stop: Event) -> None:
        """Delivers until every action is settled, the partitions are taken away, or ``stop`` is set."""
        epoch = self._epoch
        while pending and not stop.is_set() and self._epoch == epoch:
            outcomes = self._sink.deliver([item.action for item in pending])
            if len(outcomes) != len(pending):
                problem = (
                    f"the sink returned {len(outcomes)} outcomes for {len(pending)} actions; report it as a defect"
                )
                raise SinkError(problem)
            pending, after_ms = self._settle(pending, outcomes)
            if pending:
                self._wait(after_ms, stop)

    def _settle(self, pending: list[_Pending], outcomes: Sequence[Outcome]) -> tuple[list[_Pending], int]:
        """Settles the actions before the first ``RetryLater``. Returns the others and their delay in milliseconds."""
        settled, after_ms = len(pending), 0
        for at, (item, outcome) in enumerate(zip(pending, outcomes, strict=True)):
            if isinstance(outcome, RetryLater):
                settled, after_ms = at, outcome.after_ms
                break
            if isinstance(outcome, Delivered):
                self._delivered += 1
            else:
                self._quarantine.add(item.message, SETTLED[type(outcome)], outcome.reason)
        self._quarantine.flush()
        if settled:
            done = [item.action for item in pending[:settled]]
            self._consumer.commit(offsets=_after(self._topic, done), asynchronous=True)
        return pending[settled:], after_ms

    def _wait(self, after_ms: int, stop: Event) -> None:
        """Waits ``after_ms`` milliseconds. Polls with paused partitions, to stay in the group."""
        places = [TopicPartition(self._topic, partition) for partition in self._assigned]
        until, epoch = time.monotonic() + after_ms / 1000, self._epoch
        self._consumer.pause(places)
        while time.monotonic() < until and not stop.is_set() and self._epoch == epoch:
            self._consumer.consume(1, min(POLL_SECONDS, max(0.0, until - time.monotonic())))
        if self._epoch == epoch:
            self._consumer.resume(places)

    def _assign(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        positions = self._sink.positions()
        for partition in partitions:
            if positions is None:
                partition.offset = OFFSET_STORED
            else:
                partition.offset = positions.get(partition.partition, OFFSET_BEGINNING)
        self._epoch += 1
        self._assigned = {partition.partition for partition in partitions}
        self._ended.clear()
        consumer.assign(partitions)

    def _revoke(self, _consumer: KafkaConsumer, _partitions: list[TopicPartition]) -> None:
        self._epoch += 1
        self._assigned = set()


def _after(topic: str, actions: list[Action]) -> list[TopicPartition]:
    """Returns the offset after the last action of each partition."""
    last = {action.partition: action.offset + 1 for action in actions}
    return [TopicPartition(topic, partition, offset) for partition, offset in last.items()]
