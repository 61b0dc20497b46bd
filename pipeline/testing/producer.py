"""A transactional producer over Kafka in memory: the twin of ``confluent_kafka.Producer``."""

from collections.abc import Callable, Mapping
from typing import Any

import confluent_kafka

from pipeline.kafka.record import Header
from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.log import MemoryRecord
from pipeline.testing.refusals import refusal
from pipeline.testing.transactions import MemoryPartition, Transaction

Delivered = Callable[[Any, MemoryRecord | None], None]
Queued = tuple[MemoryPartition, bytes | None, bytes | None, list[Header] | None, Delivered | None]
_Error = confluent_kafka.KafkaError


def _no_interruption(_step: str) -> None:
    """Does nothing at a step."""


class MemoryProducer:
    """Queues records until :meth:`flush`, or until :meth:`send`, which stands for librdkafka's background thread.

    Calls ``at`` before every step (``produce``, ``flush``, ``offsets``, ``commit``, ``abort``) and after it
    (``produced``, ``flushed``, ``offsets_sent``, ``committed``, ``aborted``). Passes on its exceptions, which simulate
    the death of the process or a refusal by the broker.
    """

    def __init__(
        self, kafka: MemoryKafka, config: Mapping[str, Any], at: Callable[[str], None] = _no_interruption
    ) -> None:
        self._kafka, self._at = kafka, at
        self._id = str(config["transactional.id"])
        self._epoch = -1
        self._begun = False
        self._transaction: Transaction | None = None
        self._queue: list[Queued] = []
        self._reports: list[Callable[[], None]] = []
        self._fatal: confluent_kafka.KafkaException | None = None

    def init_transactions(self, timeout: float = -1) -> None:  # noqa: ARG002 - the port's signature
        self._epoch = self._kafka.initialise(self._id)

    def begin_transaction(self) -> None:
        self._check()
        self._begun = True

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | str | None = None,
        partition: int = -1,
        on_delivery: Delivered | None = None,
        *,
        headers: list[Header] | None = None,
    ) -> None:
        self._must_have_begun()
        self._at("produce")
        data = key.encode() if isinstance(key, str) else key
        place = self._kafka.place(topic, data) if partition < 0 else self._kafka.topic(topic)[partition]
        self._queue.append((place, data, value, headers, on_delivery))
        self._at("produced")

    def send(self) -> None:
        """Sends the queue to the brokers. Delivery reports wait for :meth:`poll`."""
        fenced = not self._kafka.is_current(self._id, self._epoch)
        for place, key, value, headers, on_delivery in self._queue:
            if fenced:
                self._report(on_delivery, _Error(_Error._FENCED), None)
            else:
                self._report(on_delivery, None, place.append(key, value, headers, self._opened()))
        self._queue = []

    def poll(self, timeout: float = 0) -> int:  # noqa: ARG002 - the port's signature
        reports, self._reports = self._reports, []
        for report in reports:
            report()
        return len(reports)

    def flush(self, timeout: float = -1) -> int:  # noqa: ARG002 - the port's signature
        self._at("flush")
        self.send()
        self._at("flushed")
        self.poll()
        return 0

    def send_offsets_to_transaction(
        self,
        positions: list[confluent_kafka.TopicPartition],
        group_metadata: Any,
        timeout: float = -1,  # noqa: ARG002 - the port's signature
    ) -> None:
        self._at("offsets")
        self._must_have_begun()
        self._check()
        offsets = {(position.topic, position.partition): position.offset for position in positions}
        self._kafka.groups[group_metadata.group].take(offsets, group_metadata, self._opened())
        self._at("offsets_sent")

    def commit_transaction(self, timeout: float = -1) -> None:  # noqa: ARG002 - the port's signature
        self._must_have_begun()
        self.send()
        self.poll()
        if self._transaction is None or not self._transaction.committed:  # else a repeated call, already done
            self._at("commit")
            self._check()
            self._decide(commit=True)
        self._at("committed")
        self._begun, self._transaction = False, None

    def abort_transaction(self, timeout: float = -1) -> None:  # noqa: ARG002 - the port's signature
        self._must_have_begun()
        for *_, on_delivery in self._queue:
            self._report(on_delivery, _Error(_Error._PURGE_QUEUE), None)
        self._queue = []
        self.poll()
        self._at("abort")
        self._check()
        self._decide(commit=False)
        self._at("aborted")
        self._begun, self._transaction = False, None

    def _opened(self) -> Transaction:
        if self._transaction is None:
            self._transaction = self._kafka.begin(self._id, self._epoch)
        return self._transaction

    def _decide(self, *, commit: bool) -> None:
        transaction = self._transaction
        if transaction is not None and not transaction.decided:  # else a repeated call, or nothing was sent
            self._kafka.decide(transaction, commit=commit)

    def _report(self, on_delivery: Delivered | None, error: Any, record: MemoryRecord | None) -> None:
        if on_delivery is not None:
            self._reports.append(lambda: on_delivery(error, record))

    def _must_have_begun(self) -> None:
        if self._fatal is not None:
            raise self._fatal
        if not self._begun:
            raise refusal(_Error._STATE)

    def _check(self) -> None:
        """Raises a fatal error if the producer is fenced."""
        if self._fatal is None and not self._kafka.is_current(self._id, self._epoch):
            self._fatal = refusal(_Error._FENCED, fatal=True)
        if self._fatal is not None:
            raise self._fatal
