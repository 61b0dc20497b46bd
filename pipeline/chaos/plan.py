"""What a run does: its input, its workers, how many faults of each kind, and for how long."""

from enum import StrEnum
from typing import Final

import msgspec


class Kind(StrEnum):
    """The kinds of fault, as named in reports."""

    KILL = "kill -9 of a worker"
    ZOMBIE = "stop of a worker beyond its session, then go on"
    RESIZE = "worker added or removed"
    BROKER = "kill -9 of the broker, away for a time"
    BROKER_AND_WORKERS = "kill -9 of all workers, then of the broker"
    DISK = "disk full"
    DESCRIPTORS = "descriptors used up"
    CUT = "all connections lost"
    SILENT = "network silent, connections open"
    CLOCK = "clock of a worker set"
    FOREIGN = "foreign bytes on every topic"
    COPY = "state copied while a worker writes"
    OLD_STATE = "kill -9, start from a copy of the state"
    NO_STATE = "kill -9, start without state"


DEFAULT_COUNTS: Final[dict[Kind, int]] = {
    Kind.KILL: 4, Kind.ZOMBIE: 1, Kind.RESIZE: 2, Kind.BROKER: 1, Kind.BROKER_AND_WORKERS: 1, Kind.DISK: 1,
    Kind.DESCRIPTORS: 1, Kind.CUT: 1, Kind.SILENT: 1, Kind.CLOCK: 2, Kind.FOREIGN: 1, Kind.COPY: 2, Kind.OLD_STATE: 1,
    Kind.NO_STATE: 1,
}  # fmt: skip
"""One run of a few minutes with every kind."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run. The same plan gives the same input and the same faults at the same times."""

    seed: int = 7
    events: int = 20_000
    workers: int = 2
    partitions: int = 4
    seconds: float = 120.0
    """Length of the load. Faults begin within it."""
    counts: dict[Kind, int] = msgspec.field(default_factory=lambda: dict(DEFAULT_COUNTS))
    away_seconds: tuple[float, ...] = (3.0, 22.0)
    """How long brokers are away, in turn."""
    session_timeout_ms: int = 6000
    soak: bool = False
    """Whether memory, disk and open files must be flat."""
    timeout_seconds: float = 180.0
    """How long after the last fault what is left to process may stay without becoming less."""

    @property
    def faults(self) -> int:
        """Returns the number of faults."""
        return sum(self.counts.values())
