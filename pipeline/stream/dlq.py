"""The dead letter queue: quarantine of bad records, and the breaker that stops a source with mostly bad records."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import quarantine_headers
from pipeline.kafka.record import Emit, Record
from pipeline.topics import DLQ


class StoppedSource(NamedTuple):
    """A topic of which too large a share was bad, so that this process reads no more of it.

    Operator action: look at ``stitchline dlq ls``; a producer or a schema has probably changed. Fix it, or raise
    STITCHLINE_POISON_SHARE if the input really is that bad, then run ``stitchline dlq resume``: nothing was skipped.
    """

    stage: str
    topic: str
    reason: str
    """The share of bad records, and place and reason of the newest."""


class _Window(msgspec.Struct):
    """The records of one topic since its last full window."""

    seen: int = 0
    bad: int = 0
    last_share: float = 0.0
    """Share of bad records in the last full window."""
    offender: str = ""
    """Place and reason of the newest bad record."""


class LossBreaker:
    """Counts each topic in windows of ``window`` records. Stops a topic if more than ``share`` of a window is bad.

    Each topic has its own window, so that good records of one topic do not hide bad records of another.
    """

    def __init__(self, share: float, window: int) -> None:
        self._share, self._window = share, window
        self._windows: defaultdict[tuple[str, str], _Window] = defaultdict(_Window)
        self._offender = ""
        self._stopped: Mapping[str, StoppedSource] = {}

    @property
    def stopped(self) -> Mapping[str, StoppedSource]:
        """Returns the stopped sources by topic. May be called from any thread."""
        return self._stopped

    def resume(self) -> Mapping[str, StoppedSource]:
        """Allows reading of every stopped source again, with empty windows. Returns them by topic."""
        resumed, self._stopped = self._stopped, {}
        return resumed

    def offended(self, record: Record, reason: Reason) -> None:
        """Keeps place and reason of a bad record for the reason of a :class:`StoppedSource`."""
        self._offender = f"{record.topic()} partition {record.partition()} offset {record.offset()}: {reason.value}"

    def count(self, stage: str, topic: str, seen: int, bad: int) -> None:
        """Adds a batch: ``seen`` records of a topic that the stage reads, ``bad`` of them bad.

        Stops the topic if the window is full and holds too large a share of bad records. The batch itself is taken, so
        that its bad records are in the DLQ.
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
            reason = (
                f"{share:.0%} of the last records of {topic} were bad, the limit is {self._share:.0%}; the newest is "
                f"{window.offender}. See `stitchline dlq ls`"
            )
            self._stopped = {**self._stopped, topic: StoppedSource(stage, topic, reason)}

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
