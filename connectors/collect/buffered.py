"""The bytes that all open requests hold together, within one limit."""

from collections.abc import Mapping

from connectors.collect.request import Refusal


class BufferedBytes:
    """Counts the bytes of all open requests, each as its head states it."""

    def __init__(self, max_bytes: int, max_body_bytes: int) -> None:
        self._max_bytes, self._max_body_bytes = max_bytes, max_body_bytes
        self.used = 0

    def reserve(self, headers: Mapping[str, str]) -> None:
        """Reserves the room of a request. Raises Refusal 503 if there is none."""
        size = self._size(headers)
        if self.used + size > self._max_bytes:
            raise Refusal(503, "too many requests at a time", retry_after=1)
        self.used += size

    def release(self, headers: Mapping[str, str]) -> None:
        """Gives back the room of a request."""
        self.used -= self._size(headers)

    def _size(self, headers: Mapping[str, str]) -> int:
        """Returns the length that a head states, else that of the largest body."""
        stated = headers.get("content-length", "")
        return min(int(stated), self._max_body_bytes) if stated.isdecimal() else self._max_body_bytes
