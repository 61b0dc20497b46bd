"""From what an operator chooses to a plan's counts."""

import re
from typing import Final

from pipeline.chaos.plan import DEFAULT_COUNTS, Kind
from pipeline.errors import MisuseError

UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
OTHERS: Final = (
    Kind.DESCRIPTORS, Kind.CUT, Kind.SILENT, Kind.CLOCK, Kind.FOREIGN, Kind.COPY, Kind.OLD_STATE, Kind.NO_STATE,
)  # fmt: skip


class LengthError(MisuseError):
    """A length that is not a number with a unit. Operator action: write 90s or 10m."""


def chosen_seconds(text: str) -> float:
    """Returns the seconds of a length such as ``90s`` or ``10m``.

    Raises:
        LengthError: it is no such length.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None or not float(match[1]):
        message = f"{text!r} is not a length of time: write 90s or 10m"
        raise LengthError(message)
    return float(match[1]) * UNITS[match[2]]


def chosen_counts(
    *, kills: int | None, zombies: int | None, resizes: int | None, broker_restarts: int | None, disk_full: int | None,
    others: int | None, soak: bool,
) -> dict[Kind, int]:  # fmt: skip
    """Returns the number of faults of each kind. None: the default, or none in a soak and once a number is chosen."""
    chosen = {Kind.KILL: kills, Kind.ZOMBIE: zombies, Kind.RESIZE: resizes, Kind.DISK: disk_full}
    chosen |= dict.fromkeys(OTHERS, others)
    if broker_restarts is not None:
        chosen |= {Kind.BROKER: (broker_restarts + 1) // 2, Kind.BROKER_AND_WORKERS: broker_restarts // 2}
    given = {kind: number for kind, number in chosen.items() if number is not None}
    return given if given or soak else dict(DEFAULT_COUNTS)
