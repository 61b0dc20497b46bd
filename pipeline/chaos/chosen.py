"""From what an operator chooses to a plan's counts."""

from typing import Final

from pipeline.chaos.plan import DEFAULT_COUNTS, Kind
from pipeline.errors import MisuseError
from pipeline.event.duration import parse_duration

OTHERS: Final = (
    Kind.DESCRIPTORS, Kind.CUT, Kind.SILENT, Kind.CLOCK, Kind.FOREIGN, Kind.COPY, Kind.OLD_STATE, Kind.NO_STATE,
)  # fmt: skip


class LengthError(MisuseError):
    """A length that is not a duration. Operator action: write 90s or 10m."""


def chosen_seconds(text: str) -> float:
    """Returns the seconds of a duration such as ``90s`` or ``10m``; a number without a unit is seconds.

    Raises:
        LengthError: it is not a duration.
    """
    try:
        return parse_duration(f"{text} s" if text.strip().isdecimal() else text) / 1000
    except ValueError as error:
        message = f"{error}; a run can last 90s or 10m"
        raise LengthError(message) from None


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
