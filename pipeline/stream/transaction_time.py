"""How long a transaction may be open: the time a worker gives itself, against the time the brokers give it.

Brokers abort a transaction that is open for longer than its timeout and fence its worker. So a worker commits after a
share of that time, however many records are left of a batch; the rest of the time is for publishing and the commit.
"""

from typing import Final

from pipeline.settings import Settings, SettingsError, variable

WORK_SHARE: Final = 3
"""Work in one transaction takes at most this part of its timeout: a third."""
INTERVAL_SHARE: Final = 2
"""Commit intervals are at most this part of the timeout: half."""
FIRST_SLICE: Final = 16
"""Records of the first slice, before anything is known about their time."""
MAX_SLICE: Final = 4096


def work_seconds(settings: Settings) -> float:
    """Returns the time after which a worker commits in the middle of a batch."""
    return settings.transaction_timeout_ms / 1000 / WORK_SHARE


def check_transaction_time(settings: Settings) -> None:
    """Raises SettingsError if a commit interval leaves a transaction open for too long."""
    limit_ms = settings.transaction_timeout_ms // INTERVAL_SHARE
    for name in ("commit_interval_ms", "catch_up_interval_ms"):
        interval_ms = getattr(settings, name)
        if interval_ms > limit_ms:
            message = (
                f"{variable(name)} is {interval_ms} ms, more than half of {variable('transaction_timeout_ms')} "
                f"({settings.transaction_timeout_ms} ms), after which the brokers abort a transaction; "
                f"write at most {limit_ms}, or a longer timeout"
            )
            raise SettingsError(message)


class SliceSize:
    """How many records of a stage to process before looking at the clock: few if slow, many if fast."""

    def __init__(self, limit_seconds: float) -> None:
        """``limit_seconds`` is the time the work in a transaction may take; a slice aims at an eighth of it."""
        self._aim_seconds = limit_seconds / 8
        self.records = FIRST_SLICE

    def took(self, records: int, seconds: float) -> None:
        """Notes how long a slice took."""
        fitting = int(records * self._aim_seconds / seconds) if seconds > 0 else MAX_SLICE
        self.records = max(1, min(fitting, self.records * 4, MAX_SLICE))
