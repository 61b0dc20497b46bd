"""Tables in a dict, which the core's tests and ``simulate`` use in place of RocksDB."""

from typing import Generic, TypeVar

Row = TypeVar("Row")


class MemoryTable(Generic[Row]):
    """The :class:`~pipeline.event.ports.Table` protocol over ``rows``, a dict that tests may read."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def get(self, key: str) -> Row | None:
        return self.rows.get(key)

    def put(self, key: str, row: Row) -> None:
        self.rows[key] = row

    def delete(self, key: str) -> None:
        self.rows.pop(key, None)


class MemorySeenIds:
    """The :class:`~pipeline.event.ports.SeenIds` protocol without a window: keeps every digest."""

    def __init__(self) -> None:
        self.digests: set[bytes] = set()

    def add(self, digest: bytes, timestamp_ms: int) -> bool:  # noqa: ARG002 - the port's signature
        if digest in self.digests:
            return False
        self.digests.add(digest)
        return True
