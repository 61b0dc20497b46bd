"""The protocol of a consumed record, which confluent-kafka's messages and the in-memory log's records satisfy."""

from typing import Protocol, TypeAlias

from pipeline.topics import Topic

Header: TypeAlias = tuple[str, bytes]


class Record(Protocol):
    """The part of ``confluent_kafka.Message`` that stages use."""

    def topic(self) -> str:
        """Full topic name on the broker, prefix included."""
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
        """Adds the record. Read-committed consumers see it once the unit of work has committed."""
        ...
