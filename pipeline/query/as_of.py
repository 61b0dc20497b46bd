"""Parses the moment at which profiles are read, as given to ``--as-of``."""

from collections.abc import Iterable
from typing import Final

from pipeline.errors import MisuseError
from pipeline.event.instant import format_instant, parse_instant
from pipeline.profile.row import ProfileRow
from pipeline.query.profiles import LATEST

WORDS: Final = frozenset({"now", "latest"})


class NotAMomentError(MisuseError, ValueError):
    """Operator action: write ``now``, ``latest``, or an ISO 8601 date or date and time."""


class PastMomentError(MisuseError, ValueError):
    """The moment is before the newest event. Operator action: use a moment that the message lists."""


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


def refuse_past(text: str, newest_ms: int) -> None:
    """Refuses a moment before the newest event that was read. ``now`` and ``latest`` are never refused.

    Profiles keep no earlier state: windows and scores would be those of the newest event, not of the moment.

    Raises:
        NotAMomentError: ``text`` is no moment.
        PastMomentError: the moment is before ``newest_ms``.
    """
    if text not in WORDS and as_of_ms(text, 0) < newest_ms:
        message = (
            f"{text} is before the newest event, {format_instant(newest_ms)}, and profiles keep no earlier state: "
            "write latest (each profile at its own newest event), now, or a moment from then on"
        )
        raise PastMomentError(message)


def refuse_past_of(text: str, rows: Iterable[tuple[str, ProfileRow]]) -> None:
    """Refuses a moment before the newest event of some profiles. ``now`` and ``latest`` read no profile.

    Raises:
        NotAMomentError: ``text`` is no moment.
        PastMomentError: the moment is before the newest event of a profile.
    """
    if text not in WORDS:
        refuse_past(text, max((row.latest_ms() for _, row in rows), default=0))
