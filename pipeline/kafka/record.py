"""A consumed record, as confluent-kafka hands it out; the in-memory log hands out the same."""

from typing import Protocol, TypeAlias

from pipeline.topics import Topic

Header: TypeAlias = tuple[str, bytes]


class Record(Protocol):
    """The part of ``confluent_kafka.Message`` that stages use."""

    def topic(self) -> str:
        """Name on the broker."""
        ...

    def partition(self) -> int:
        """Partition number."""
        ...

    def offset(self) -> int:
        """Offset in the partition."""
        ...

    def key(self) -> bytes | None:
        """Key bytes."""
        ...

    def value(self) -> bytes | None:
        """Value bytes; None is a tombstone."""
        ...

    def headers(self) -> list[Header] | None:
        """Headers in order."""
        ...


class Emit(Protocol):
    """Adds a record to the unit of work's transaction."""

    def __call__(
        self, topic: Topic, key: bytes | str | None, value: bytes | None, headers: list[Header] | None = None
    ) -> None:
        """Nothing is visible to a read-committed consumer before the unit of work commits."""
        ...
