"""The facts that conditions are evaluated on: a profile's ledgers at one moment, each part read at most once."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from pipeline.profile.ledger import Ledger
from pipeline.score.trajectory import Trajectory


class SegmentState(NamedTuple):
    """The state of a profile in a segment."""

    inside: bool
    due_ms: int
    """The moment, in ms, before which time alone cannot change ``inside``."""
    watch_bits: int
    """The bit of :mod:`pipeline.segment.watch_bits`. Until ``due_ms``, only bookings with this bit can change
    ``inside``."""


_NOT_READ: Final = object()


class Facts:
    """The facts of one evaluation. ``as_of_ms`` must not be before the newest touch of the ledgers."""

    __slots__ = ("as_of_ms", "ledgers", "memory", "segment_states", "trajectories")

    def __init__(self, ledgers: Sequence[Ledger], as_of_ms: int) -> None:
        self.ledgers, self.as_of_ms = ledgers, as_of_ms
        self.segment_states: dict[str, SegmentState] = {}
        """The states of the segments evaluated so far, by name."""
        self.trajectories: dict[str, Trajectory] = {}
        """The course of each score read so far, by name."""
        self.memory: dict[Any, Any] = {}
        """What was read so far."""

    def once(self, key: Any, read: "Callable[[Facts], Any]") -> Any:
        """Returns ``read(self)``, computed once per key."""
        remembered = self.memory.get(key, _NOT_READ)
        if remembered is _NOT_READ:
            remembered = self.memory[key] = read(self)
        return remembered
