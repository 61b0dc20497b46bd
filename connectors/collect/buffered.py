"""The bytes that all open requests hold together, within one limit."""

from connectors.collect.request import Refusal, Request


class BufferedBytes:
    """Counts the bytes of all open requests, each as its head states it, else as those of the largest body."""

    def __init__(self, max_bytes: int, max_body_bytes: int) -> None:
        self._max_bytes, self._max_body_bytes = max_bytes, max_body_bytes
        self.used = 0

    def reserve(self, request: Request) -> None:
        """Reserves the room of a request. Raises Refusal 503 if there is none."""
        size = request.stated_bytes
        if size is None:
            size = self._max_body_bytes
        if self.used + size > self._max_bytes:
            raise Refusal(503, "too many requests at a time", retry_after=1)
        self.used += size

    def release(self, request: Request) -> None:
        """Gives back the room of a request."""
        size = request.stated_bytes
        self.used -= self._max_body_bytes if size is None else size
