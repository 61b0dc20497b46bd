"""The facts that conditions are asked of: one profile's ledgers at one moment, each part read once, if at all."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from pipeline.profile.ledger import Ledger


class SegmentState(NamedTuple):
    """How somebody stands in a segment."""

    inside: bool
    due_ms: int
    """The moment before which time alone cannot change that."""
    watch_bits: int
    """The bit of :mod:`pipeline.segment.watch_bits`: no booking without it can change that before then."""


_NOT_READ: Final = object()


class Facts:
    """For one evaluation; ``as_of_ms`` must not be before the newest touch of the ledgers."""

    __slots__ = ("_memory", "as_of_ms", "ledgers", "segment_states")

    def __init__(self, ledgers: Sequence[Ledger], as_of_ms: int) -> None:
        self.ledgers, self.as_of_ms = ledgers, as_of_ms
        self.segment_states: dict[str, SegmentState] = {}
        """Of the segments that have been evaluated, by name."""
        self._memory: dict[Any, Any] = {}

    def once(self, key: Any, read: "Callable[[Facts], Any]") -> Any:
        """What ``read`` gives, remembered under a key of its own."""
        remembered = self._memory.get(key, _NOT_READ)
        if remembered is _NOT_READ:
            remembered = self._memory[key] = read(self)
        return remembered
