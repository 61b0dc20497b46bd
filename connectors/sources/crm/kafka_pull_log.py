"""The topics on Kafka as one puller sees them; implements :class:`~connectors.sources.crm.pull_log.PullLog`.

The transactional id is the name of the connection, so that a second puller fences the first.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from confluent_kafka import Message

from connectors.crm.kafka_log import LedgerTopic
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.takeover import ends_if_taken_over
from connectors.sources.crm.pull_log import PullCommit, StateRow
from pipeline.event.erasure import Marking
from pipeline.event.result import Rejected
from pipeline.kafka.dlq_headers import MAX_DETAIL_CHARACTERS, facts_as_headers
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.kafka.record import Header
from pipeline.kafka.transactions import Transactions
from pipeline.obs.log import logger
from pipeline.topics import DLQ, EVENTS, LEDGER, LINKS, MARKS, READERS

STAGE: Final = "pull"
"""The stage that the headers of quarantined events name."""
SECOND_PROCESS: Final = "another process pulls from this connection now; this one ends. Run one process per connection"
_log = logger("connectors.sources.crm")
_decode_marking = msgspec.msgpack.Decoder(Marking).decode


class KafkaPullLog:
    """The topics of one deployment for one connection. ``group`` names its transactions."""

    def __init__(
        self, kafka: Mapping[str, str | int], prefix: str, *, connection: str, group: str, ledger: LedgerTopic
    ) -> None:
        self._kafka, self._connection, self._ledger = kafka, connection, ledger
        self._state, self._links, self._dlq = READERS.of(prefix), LINKS.of(prefix), DLQ.of(prefix)
        self._marks = MARKS.of(prefix)
        for topic in (self._state, self._links, self._dlq, self._marks, EVENTS["crm"].of(prefix), LEDGER.of(prefix)):
            partitions_of(kafka, topic)  # refuses to start without it: the first commit would fail
        self._read: dict[str, dict[int, int]] = {}
        with ends_if_taken_over(SECOND_PROCESS):
            self._transactions = Transactions(kafka, group)

    def rows(self) -> Iterator[StateRow]:
        """Yields the committed rows of this connection, in the order of writing."""
        prefix = f"{self._connection}/".encode()
        for message in self._news(self._state):
            key = message.key() or b""
            if key.startswith(prefix):
                yield StateRow(bytes(key).decode(), message.value())

    def written(self) -> Iterator[LedgerRow]:
        """Yields the committed ledger rows of this connection's sink since the last call, in the order of writing."""
        yield from self._ledger.rows_of(self._news(self._ledger.topic), self._connection)

    def markings(self) -> Iterator[Marking]:
        """Yields the committed decisions about erasures and refusals since the last call."""
        for message in self._news(self._marks):
            try:
                yield _decode_marking(message.value() or b"")
            except msgspec.DecodeError:  # another program's record
                _log.warning("mark_undecodable", partition=message.partition(), offset=message.offset())

    def commit(self, commit: PullCommit) -> None:
        """Commits in one transaction."""
        with ends_if_taken_over(SECOND_PROCESS):
            for event in commit.events:
                self._transactions.produce(event.topic, event.value, event.key)
            for command in commit.commands:
                self._transactions.produce(self._links, msgspec.msgpack.encode(command), command.tenant)
            for document, why in commit.rejected:
                self._transactions.produce(self._dlq, msgspec.json.encode(document), None, [*self._facts(why)])
            for row in commit.rows:
                self._transactions.produce(self._state, row.value, row.key)
            self._transactions.commit([])

    def _news(self, topic: str) -> Iterator[Message]:
        """Yields the committed records of a topic since the last call, in the order of writing."""
        reading = Reading(
            self._kafka, topic, range(partitions_of(self._kafka, topic)), begin=self._read.get(topic)
        )  # fmt: skip
        for batch in reading.batches():
            yield from batch
        self._read[topic] = dict(reading.reached)

    def close(self) -> None:
        """Closes the clients. An open transaction is aborted."""
        self._transactions.__exit__(None, None, None)

    def _facts(self, why: Rejected) -> list[Header]:
        facts = {
            "reason": why.reason.value, "detail": why.detail[:MAX_DETAIL_CHARACTERS], "stage": STAGE,
            "topic": f"crm/{self._connection}", "source": self._connection,
        }  # fmt: skip
        return [*facts_as_headers(facts)]
