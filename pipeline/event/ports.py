"""The storage interfaces that the core needs: rows by key, and the message ids already seen."""

from typing import Protocol, TypeVar

Row = TypeVar("Row")


class Table(Protocol[Row]):
    """Decoded rows by key. Callers must ``put`` a row after every change to it. Rows are never shared."""

    def get(self, key: str) -> Row | None:
        """Returns the row as last put, or None."""
        ...

    def put(self, key: str, row: Row) -> None:
        """Stores the row; it is durable once the unit of work commits."""
        ...

    def delete(self, key: str) -> None:
        """Deletes the row. Does nothing if there is none."""
        ...


class SeenIds(Protocol):
    """Message ids seen within the de-duplication window."""

    def add(self, digest: bytes, timestamp_ms: int) -> bool:
        """Stores an 8-byte digest at its event time. Returns True if it was absent, so that the event is new."""
        ...
