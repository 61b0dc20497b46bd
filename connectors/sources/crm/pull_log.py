"""The port between the puller and Kafka: events, what was seen and the cursor go out in one transaction."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from connectors.crm.ledger_row import LedgerRow
from connectors.sources.crm.document import Document
from connectors.sources.outgoing import Outgoing
from pipeline.event.erasure import Marking
from pipeline.event.result import Rejected
from pipeline.identity.messages import Command


class StateRow(msgspec.Struct, frozen=True):
    """A row of the reader's compacted topic."""

    key: str
    """``connection/cursor/STREAM`` or ``connection/KIND/ID``."""
    value: bytes | None
    """None removes the row."""


class PullCommit(msgspec.Struct):
    """What becomes visible together, or not at all."""

    events: list[Outgoing] = []
    commands: list[Command] = []
    rejected: list[tuple[Document, Rejected]] = []
    """Events that INTAKE would quarantine. They are quarantined at once."""
    rows: list[StateRow] = []


class PullLog(Protocol):
    """The topics as one puller sees them.

    Opening it shuts out every other puller of the same connection: from then on their :meth:`commit` fails.

    Raises (every method):
        SinkError: Another puller has taken over.
        KafkaException: The broker returned an error that is not retriable.
    """

    def rows(self) -> Iterable[StateRow]:
        """Yields the committed rows of this connection, in the order of writing."""
        ...

    def written(self) -> Iterable[LedgerRow]:
        """Yields the committed ledger rows of this connection's sink since the last call, in the order of writing."""
        ...

    def markings(self) -> Iterable[Marking]:
        """Yields the committed decisions about erasures and refusals since the last call."""
        ...

    def commit(self, commit: PullCommit) -> None:
        """Commits in one transaction."""
        ...

    def close(self) -> None:
        """Closes the clients. An open transaction is aborted."""
        ...
