"""A puller's topics in memory: transactions that are whole or not there, and pullers that shut each other out."""

import msgspec

from connectors.crm.ledger_row import LedgerRow
from connectors.crm.sink import SinkError
from connectors.sources.crm.pull_log import PullCommit, StateRow
from connectors.sources.outgoing import Outgoing
from pipeline.avro.wire import Decoder
from pipeline.event.avro import from_avro
from pipeline.event.erasure import Marking
from pipeline.event.model import Event
from pipeline.event.result import Rejected
from pipeline.identity.messages import Command

_decode = Decoder("event-crm")


class PullTopics:
    """What survives every crash."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.keys: list[str] = []
        self.sent: list[Outgoing] = []
        self.commands: list[Command] = []
        self.rejected: list[tuple[dict[str, object], Rejected]] = []
        self.state: dict[str, bytes | None] = {}
        self.ledger: list[LedgerRow] = []
        self.markings: list[Marking] = []
        self.commits = 0
        self.epoch = 0

    def take(self) -> list[Event]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events


class MemoryPullLog:
    """One puller's view of the topics."""

    def __init__(self, topics: PullTopics) -> None:
        self._topics = topics
        topics.epoch += 1
        self._epoch, self._read, self._marked = topics.epoch, 0, 0

    def rows(self) -> list[StateRow]:
        return [StateRow(key, value) for key, value in self._topics.state.items()]

    def written(self) -> list[LedgerRow]:
        rows, self._read = self._topics.ledger[self._read :], len(self._topics.ledger)
        return rows

    def markings(self) -> list[Marking]:
        markings, self._marked = self._topics.markings[self._marked :], len(self._topics.markings)
        return markings

    def commit(self, commit: PullCommit) -> None:
        if self._epoch != self._topics.epoch:
            message = "another process pulls from this connection now"
            raise SinkError(message)
        topics = self._topics
        topics.commits += 1
        topics.events += [from_avro("crm", _decode(one.value)) for one in commit.events]
        topics.sent += commit.events
        topics.keys += [one.key for one in commit.events]
        topics.commands += [
            msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Command) for one in commit.commands
        ]
        topics.rejected += commit.rejected
        topics.state |= {row.key: row.value for row in commit.rows}

    def close(self) -> None:
        pass
