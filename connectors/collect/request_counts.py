"""Counts of requests and events, which reach the metrics together and not one by one."""

from collections import Counter
from typing import Final

from pipeline.event.reason import Reason
from pipeline.obs import metrics as m
from pipeline.obs.metrics import Metrics

ACCEPTED: Final = "accepted"
BOT: Final = "bot"
SAMPLED: Final = "sampled"
SUPPRESSED: Final = "suppressed"
IGNORED: Final = "ignored"
FIRST_OUTCOMES: Final = (BOT, SAMPLED, SUPPRESSED, IGNORED, Reason.INVALID_FIELD.value, Reason.NO_IDENTIFIER.value)
"""Outcomes whose series start at 0 with the first event of a source and dialect, so that a rate sees their first event.
The rarer ones start with it."""


class RequestCounts:
    """Counts what happens to each request. :meth:`report` adds the counts to the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._statuses: Counter[int] = Counter()
        self._events: Counter[tuple[str, str, str]] = Counter()
        self._started: set[tuple[str, str]] = set()
        self._seconds: list[float] = []

    def answered(self, status: int, seconds: float) -> None:
        """Counts a request."""
        self._statuses[status] += 1
        self._seconds.append(seconds)

    def events(self, number: int, source: str, dialect: str, outcome: str) -> None:
        """Counts events of one outcome."""
        self._events[source, dialect, outcome] += number

    def report(self) -> None:
        """Adds the counts to the metrics, and begins again."""
        statuses, events, seconds = self._statuses, self._events, self._seconds
        self._statuses, self._events, self._seconds = Counter(), Counter(), []
        for status, number in statuses.items():
            self._metrics.add(m.COLLECT_REQUESTS, number, str(status))
        for labels, number in events.items():
            self._start_series(*labels[:2])
            self._metrics.add(m.COLLECT_EVENTS, number, *labels)
        if seconds:
            self._metrics.observe_all(m.COLLECT_REQUEST_SECONDS, seconds)

    def _start_series(self, source: str, dialect: str) -> None:
        if (source, dialect) not in self._started:
            self._started.add((source, dialect))
            for outcome in FIRST_OUTCOMES:
                self._metrics.add(m.COLLECT_EVENTS, 0, source, dialect, outcome)
