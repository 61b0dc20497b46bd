"""Quarantine: the bytes as they came, the facts in headers; and the breaker that stops draining a topic into it."""

from pipeline.errors import OperatorError
from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import quarantine_headers
from pipeline.kafka.record import Emit, Record
from pipeline.topics import DLQ


class LossBreakerTripped(OperatorError):  # noqa: N818 - a breaker trips
    """Too large a share of the input is bad.

    Operator action: look at ``stitchline dlq ls``; a producer or a schema has probably changed. Mend it, or raise
    STITCHLINE_POISON_SHARE if the input really is that bad, and start the worker again: nothing was skipped.
    """


class LossBreaker:
    """Counts records in windows of ``window``; trips when more than ``share`` of a full window were bad."""

    def __init__(self, share: float, window: int) -> None:
        self._share, self._window = share, window
        self._seen = self._bad = 0
        self._last = 0.0

    def count(self, seen: int, bad: int) -> None:
        """Add a batch.

        Raises:
            LossBreakerTripped: at the end of a window with too large a share of bad records.
        """
        self._seen += seen
        self._bad += bad
        if self._seen < self._window:
            return
        share = self._last = self._bad / self._seen
        self._seen = self._bad = 0
        if share > self._share:
            message = (
                f"{share:.0%} of the last records were bad, the limit is {self._share:.0%}; see `stitchline dlq ls`"
            )
            raise LossBreakerTripped(message)

    @property
    def share(self) -> float:
        """Of the last full window, or of this one where it is worse already, however its rest turns out."""
        return max(self._last, self._bad / self._window)


def quarantine(emit: Emit, record: Record, stage: str, reason: Reason, detail: str) -> None:
    """Emits the record's key and value, byte-identical, to the DLQ, with its own headers and the facts."""
    emit(DLQ, record.key(), record.value(), quarantine_headers(record, stage, reason, detail))
