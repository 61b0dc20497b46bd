"""The facts that conditions are asked of: one profile's ledgers at one moment, each part read once, if at all."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from pipeline.profile.ledger import Ledger


class Standing(NamedTuple):
    """How somebody stands in a segment."""

    inside: bool
    due_ms: int
    """The moment before which time alone cannot change that."""
    waits: int
    """The bit of :mod:`pipeline.segment.waiting`: no booking without it can change that before then."""


_NOT_READ: Final = object()


class Facts:
    """For one evaluation; ``as_of_ms`` must not be before the newest touch of the ledgers."""

    __slots__ = ("_memory", "as_of_ms", "ledgers", "standings")

    def __init__(self, ledgers: Sequence[Ledger], as_of_ms: int) -> None:
        self.ledgers, self.as_of_ms = ledgers, as_of_ms
        self.standings: dict[str, Standing] = {}
        """Of the segments that have been evaluated, by name."""
        self._memory: dict[Any, Any] = {}

    def once(self, key: Any, read: "Callable[[Facts], Any]") -> Any:
        """What ``read`` gives, remembered under a key of its own."""
        found = self._memory.get(key, _NOT_READ)
        if found is _NOT_READ:
            found = self._memory[key] = read(self)
        return found
