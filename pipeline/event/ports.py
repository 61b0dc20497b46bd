"""What the core asks of the world around it: rows by key, and whether a message id was seen before."""

from typing import Protocol, TypeVar

Row = TypeVar("Row")


class Table(Protocol[Row]):
    """Decoded rows by key. ``put`` must follow every change of a row that ``get`` returned; rows are never shared."""

    def get(self, key: str) -> Row | None:
        """The row as last put, or None."""
        ...

    def put(self, key: str, row: Row) -> None:
        """Keep the row; it is durable once the unit of work commits."""
        ...

    def delete(self, key: str) -> None:
        """Forget the row; no error where there is none."""
        ...


class SeenIds(Protocol):
    """Message ids seen within the de-duplication window."""

    def add(self, digest: bytes, timestamp_ms: int) -> bool:
        """Remember an 8-byte digest at its event time. True if it was not there: the event is new."""
        ...
