"""Parses the moment at which profiles are read, as given to ``--as-of``."""

from pipeline.errors import MisuseError
from pipeline.event.instant import parse_instant
from pipeline.query.profiles import LATEST


class NotAMomentError(MisuseError, ValueError):
    """Operator action: write ``now``, ``latest``, or an ISO 8601 date or date and time."""


def as_of_ms(text: str, now_ms: int) -> int:
    """Returns milliseconds since the epoch, or :data:`~pipeline.query.profiles.LATEST` for ``latest``.

    Raises:
        NotAMomentError: the text is neither ``now`` nor ``latest`` nor an ISO 8601 date.
    """
    if text == "now":
        return now_ms
    if text == "latest":
        return LATEST
    moment_ms = parse_instant(text)
    if moment_ms is None:
        message = f"{text!r} is no moment: write now, latest, or a date like 2026-03-01 or 2026-03-01T12:00:00Z"
        raise NotAMomentError(message)
    return moment_ms
