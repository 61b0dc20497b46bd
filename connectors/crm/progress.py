"""Offsets of one partition when actions are settled out of order: a position, and what is settled beyond it.

The position is the committed offset. The settled offsets beyond it are a bitmap in the metadata of the commit, so that
after a restart no settled action is delivered, and none is quarantined, a second time.

>>> progress = Progress(5, "")
>>> for offset in (5, 6, 7):
...     progress.take(offset)
>>> progress.settle(5), progress.settle(7)
(None, None)
>>> progress.position, Progress(progress.position, progress.metadata()).is_settled(7)
(6, True)
"""

from base64 import b85decode, b85encode
from typing import Final

MAX_SPAN: Final = 16_000
"""Offsets from the position to the newest record. Their bitmap, 2.5 kB as text, fits a broker's limit of 4096 bytes."""


class Progress:
    """The progress of one partition."""

    def __init__(self, position: int, metadata: str) -> None:
        """Starts at a committed offset and its metadata."""
        self.position = position
        """Every record before this offset is settled."""
        self._end = position
        self._open: set[int] = set()
        self._ahead = set(_offsets(position, metadata))

    @property
    def is_full(self) -> bool:
        """Returns whether no further record may be taken until the oldest open one is settled."""
        return self._end - self.position >= MAX_SPAN

    def is_settled(self, offset: int) -> bool:
        """Returns whether the record was settled before."""
        return offset < self.position or offset in self._ahead

    def take(self, offset: int) -> None:
        """Notes a record that has to be settled. Records are taken in the order of their offsets."""
        self._end = offset + 1
        self._open.add(offset)
        self._advance()

    def settle(self, offset: int) -> None:
        """Notes that a record is delivered, superseded or quarantined."""
        self._open.discard(offset)
        self._ahead.add(offset)
        self._end = max(self._end, offset + 1)
        self._advance()

    def pass_over(self, offset: int) -> None:
        """Notes a record that was read again although it is settled."""
        self._end = max(self._end, offset + 1)
        self._advance()

    def metadata(self) -> str:
        """Returns the settled offsets beyond the position, as text for the commit."""
        if not self._ahead:
            return ""
        bits = bytearray((max(self._ahead) - self.position + 7) // 8)
        for at in self._ahead:
            bits[(at - self.position - 1) // 8] |= 1 << (at - self.position - 1) % 8
        return b85encode(bytes(bits)).decode()

    def _advance(self) -> None:
        self.position = max(self.position, min(self._open, default=self._end))
        while self.position in self._ahead:
            self.position += 1
        self._ahead = {at for at in self._ahead if at > self.position}


def _offsets(position: int, metadata: str) -> list[int]:
    if not metadata:
        return []
    bits = int.from_bytes(b85decode(metadata), "little")
    return [position + 1 + place for place in range(bits.bit_length()) if bits >> place & 1]
