"""The bytes that all open requests hold together, within one limit."""

from collections.abc import Mapping
from typing import Self

from connectors.collect.request import Refusal


class Room:
    """The bytes of one request. Use as a context manager, which gives them back."""

    def __init__(self, buffered: "BufferedBytes", size: int) -> None:
        self._buffered, self._size = buffered, size

    def __enter__(self) -> Self:
        """Reserves the bytes. Raises Refusal 503 if there is no room."""
        self._buffered.add(self._size)
        return self

    def __exit__(self, *_: object) -> None:
        self._buffered.used -= self._size

    def shrink_to(self, size: int) -> None:
        """Gives back what was reserved and not read."""
        self._buffered.used -= self._size - size
        self._size = size


class BufferedBytes:
    """Counts the bytes of all open requests."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.used = 0

    def room_for(self, headers: Mapping[str, str], max_body_bytes: int) -> Room:
        """Returns the room for a request: the length that its head states, else that of the largest body."""
        stated = headers.get("content-length", "")
        return Room(self, min(int(stated), max_body_bytes) if stated.isdecimal() else max_body_bytes)

    def add(self, size: int) -> None:
        """Reserves bytes. Raises Refusal 503 if there is no room."""
        if self.used + size > self._max_bytes:
            raise Refusal(503, "too many requests at a time", retry_after=1)
        self.used += size
