"""Counts of requests and events, which reach the metrics together and not one by one."""

from collections import Counter

from pipeline.obs import metrics as m
from pipeline.obs.metrics import Metrics


class RequestCounts:
    """Counts what happens to each request. :meth:`report` adds the counts to the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._statuses: Counter[int] = Counter()
        self._events: Counter[tuple[str, str, str]] = Counter()
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
            self._metrics.add(m.COLLECT_EVENTS, number, *labels)
        for value in seconds:
            self._metrics.observe(m.COLLECT_REQUEST_SECONDS, value)
