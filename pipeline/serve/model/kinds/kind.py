"""The protocol of a kind of record, and the entries that it adds to the feed of changes."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec
from sqlalchemy import Connection

from pipeline.topics import Topic


class FollowedRecord(Protocol):
    """The part of ``confluent_kafka.Message`` that the read model uses."""

    def topic(self) -> str | None:
        """Full topic name on the broker."""
        ...

    def partition(self) -> int | None:
        """Partition number."""
        ...

    def offset(self) -> int | None:
        """Offset in the partition."""
        ...

    def key(self) -> Any:
        """Key bytes."""
        ...

    def value(self) -> Any:
        """Value bytes; None is a tombstone."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Type and milliseconds."""
        ...

    def headers(self) -> Any:
        """Headers in order."""
        ...


Records: TypeAlias = Sequence[FollowedRecord]


class FeedEntry(NamedTuple):
    """A change that subscribers are notified of. ``facts`` holds no personal data."""

    kind: str
    tenant: str
    profile_id: str
    facts: dict[str, Any]


class Kind(Protocol):
    """Folds the records of one topic into tables."""

    topic: Topic

    def apply(self, connection: Connection, records: Records) -> list[FeedEntry]:
        """Applies records of this topic, those of one partition in their order. Returns the changes for the feed.

        Raises:
            Undecodable: a record is not one of the topic's schema.
        """
        ...


def json_bytes(value: Any) -> bytes:
    """Returns a value as JSON text with sorted keys: equal values have equal bytes."""
    return _JSON(value)


def key_text(record: FollowedRecord) -> str:
    """Returns a record's key as text; "" without one."""
    key = record.key()
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key or "")


_JSON = msgspec.json.Encoder(order="deterministic").encode
