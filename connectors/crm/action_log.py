"""The port between the runner and Kafka: actions in; outcome, ledger rows and position out, in one transaction."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from connectors.crm.ledger_row import LedgerRow
from pipeline.event.reason import Reason
from pipeline.kafka.record import Record


class Refusal(NamedTuple):
    """A record for the DLQ of actions, byte-identical, with the reason."""

    record: Record
    reason: Reason
    detail: str


class Position(NamedTuple):
    """The committed offset of a partition, and the settled offsets beyond it as :class:`Progress` encodes them."""

    offset: int
    metadata: str


class Commit(msgspec.Struct):
    """What becomes visible together, or not at all."""

    rows: Sequence[LedgerRow] = ()
    refusals: Sequence[Refusal] = ()
    positions: dict[int, Position] = {}


class ActionLog(Protocol):
    """The actions topic as one runner sees it.

    Opening it shuts out every other runner of the same sink: from then on their :meth:`commit` fails.

    Raises (every method):
        SinkError: Another runner has taken over, or the topic no longer holds the position.
        KafkaException: The broker returned an error that is not retriable.
    """

    def positions(self) -> dict[int, Position]:
        """Returns the committed position of every partition; offset -1 if none is committed."""
        ...

    def ledger_rows(self) -> Iterable[LedgerRow]:
        """Yields the committed ledger rows of this sink, in the order of writing."""
        ...

    def start(self, offsets: dict[int, int], *, strict: bool) -> dict[int, int]:
        """Starts reading. Returns the offsets it starts from.

        An offset of -1 means the beginning of the partition. If Kafka has deleted the records at an offset, reading
        starts at the oldest one and a warning is logged; with ``strict`` it is an error.
        """
        ...

    def poll(self, limit: int, seconds: float) -> Sequence[Record]:
        """Returns at most ``limit`` committed records, after at most ``seconds``."""
        ...

    def hold(self, partitions: Collection[int]) -> None:
        """Reads no further records of these partitions, and of all others again."""
        ...

    def at_end(self) -> bool:
        """Returns whether every partition is read to its end."""
        ...

    def commit(self, commit: Commit) -> None:
        """Commits in one transaction."""
        ...

    def close(self) -> None:
        """Closes the clients. An open transaction is aborted."""
        ...
