"""The dead letter queue: quarantine of bad records, and the breaker that stops a worker with mostly bad input."""

from collections import defaultdict

import msgspec

from pipeline.errors import OperatorError
from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import quarantine_headers
from pipeline.kafka.record import Emit, Record
from pipeline.topics import DLQ


class LossBreakerTripped(OperatorError):  # noqa: N818 - a breaker trips
    """Too large a share of the input is bad.

    Operator action: look at ``stitchline dlq ls``; a producer or a schema has probably changed. Fix it, or raise
    STITCHLINE_POISON_SHARE if the input really is that bad, and start the worker again: nothing was skipped.
    """


class _Window(msgspec.Struct):
    """The records of one topic since its last full window."""

    seen: int = 0
    bad: int = 0
    last_share: float = 0.0
    """Share of bad records in the last full window."""
    offender: str = ""
    """Place and reason of the newest bad record."""


class LossBreaker:
    """Counts each topic in windows of ``window`` records. Trips if more than ``share`` of a window is bad.

    Each topic has its own window, so that good records of one topic do not hide bad records of another.
    """

    def __init__(self, share: float, window: int) -> None:
        self._share, self._window = share, window
        self._windows: defaultdict[tuple[str, str], _Window] = defaultdict(_Window)
        self._offender = ""

    def offended(self, record: Record, reason: Reason) -> None:
        """Keeps place and reason of a bad record for the message of :class:`LossBreakerTripped`."""
        self._offender = f"{record.topic()} partition {record.partition()} offset {record.offset()}: {reason.value}"

    def count(self, stage: str, topic: str, seen: int, bad: int) -> None:
        """Adds a batch: ``seen`` records of a topic that the stage reads, ``bad`` of them bad.

        Raises:
            LossBreakerTripped: A window is full and holds too large a share of bad records.
        """
        window = self._windows[stage, topic]
        window.seen += seen
        if bad:
            window.bad += bad
            window.offender = self._offender
        if window.seen < self._window:
            return
        share = window.last_share = window.bad / window.seen
        window.seen = window.bad = 0
        if share > self._share:
            message = (
                f"{share:.0%} of the last records of {topic} were bad, the limit is {self._share:.0%}; the newest is "
                f"{window.offender}. See `stitchline dlq ls`"
            )
            raise LossBreakerTripped(message)

    def share(self, stage: str) -> float:
        """Returns the highest share of bad records, 0 to 1, among the topics that a stage reads.

        A topic's share is that of its last full window, or the lowest share with which the current window can end if
        that is higher.
        """
        windows = [window for (reader, _), window in self._windows.items() if reader == stage]
        return max((max(window.last_share, window.bad / self._window) for window in windows), default=0.0)


def quarantine(emit: Emit, record: Record, stage: str, reason: Reason, detail: str) -> None:
    """Emits key and value of the record, byte-identical, to the DLQ. Headers: the record's own, and why it is there."""
    emit(DLQ, record.key(), record.value(), quarantine_headers(record, stage, reason, detail))
