"""Throughput and lag of the stages, from the group's committed offsets alone."""

from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final

import msgspec
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from pipeline.kafka.clients import admin, group_offsets
from pipeline.kafka.follow import Place
from pipeline.kafka.markers import Markers, Span
from pipeline.kafka.reading import REQUEST_SECONDS, partitions_of
from pipeline.kafka.retry import retrying
from pipeline.settings import Settings
from pipeline.topics import INPUTS

WINDOW_SECONDS: Final = 3.0
"""Rates are averages over this time: short enough to follow changes, long enough for readable numbers."""


class StageFlow(msgspec.Struct, frozen=True):
    """Throughput and lag of one stage, over all workers."""

    stage: str
    per_second: float
    """Committed offsets per second. Includes transaction markers, a few percent at most under load."""
    lag: int
    """Waiting records. Transaction markers behind the last record do not count."""
    lag_by_topic: dict[str, int]
    """Topic name without prefix to lag. Omits topics without lag."""


class FlowMeter:
    """Samples every stage's input topics.

    Raises:
        MissingTopicError: a topic does not exist.
        KafkaException: the broker did not answer (from every method).
    """

    def __init__(self, settings: Settings) -> None:
        prefix = settings.topic_prefix
        self._group, self._strip = settings.application_id, len(prefix) + 1
        self._admin = admin(settings.kafka())
        # A consumer: librdkafka crashes if a broker goes away while an admin client waits for a group's offsets.
        self._offsets_of_group = group_offsets(settings.kafka(), self._group)
        self._markers = Markers(settings.kafka())
        self._places: dict[str, list[Place]] = {
            name: [
                (topic.of(prefix), number)
                for topic in inputs
                for number in range(partitions_of(settings.kafka(), topic.of(prefix)))
            ]
            for name, inputs in INPUTS.items()
        }
        self._history: deque[tuple[float, dict[str, int]]] = deque()
        self._before: dict[Place, Span] = {}

    def close(self) -> None:
        """Closes the connections."""
        self._markers.close()
        self._offsets_of_group.close()

    def sample(self, now_seconds: float) -> list[StageFlow]:
        """Returns the flow of each stage, in the order of ``INPUTS``.

        ``now_seconds`` is the time of a monotonic clock. Rates are 0 on the first call. If every lag is 0, all stages
        have processed every record produced before the call: committed offsets are read before end offsets, and end
        offsets include the records of open transactions.
        """
        places = [place for stage in self._places.values() for place in stage]
        committed = retrying(lambda: self._committed(places))
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        ends = retrying(lambda: self._offsets(places, latest))
        spans = {place: (committed[place], end) for place, end in ends.items()}
        lags = self._lags(spans)
        rates = self._rates(now_seconds, committed)
        return [self._stage(name, rates[name], lags) for name in self._places]

    def _stage(self, name: str, per_second: float, lags: Mapping[Place, int]) -> StageFlow:
        by_topic: dict[str, int] = {}
        for place in self._places[name]:
            if lags[place]:
                short = place[0][self._strip :]
                by_topic[short] = by_topic.get(short, 0) + lags[place]
        return StageFlow(name, per_second, sum(by_topic.values()), by_topic)

    def _lags(self, spans: Mapping[Place, Span]) -> dict[Place, int]:
        """Returns the waiting records per partition.

        Checks only partitions that did not move since the last sample for markers: in all others records arrive or are
        consumed, and the check costs a read.
        """
        still = {place: span for place, span in spans.items() if self._before.get(place) == span and span[0] < span[1]}
        self._before = dict(spans)
        waiting = self._markers.waiting(still)
        return {place: max(0, end - at) if waiting.get(place, True) else 0 for place, (at, end) in spans.items()}

    def _rates(self, now_seconds: float, committed: Mapping[Place, int]) -> dict[str, float]:
        taken = {name: sum(committed[place] for place in places) for name, places in self._places.items()}
        self._history.append((now_seconds, taken))
        while len(self._history) > 2 and self._history[1][0] <= now_seconds - WINDOW_SECONDS:
            self._history.popleft()
        then_seconds, before = self._history[0]
        elapsed_seconds = now_seconds - then_seconds
        return {
            name: max(0.0, (taken[name] - before[name]) / elapsed_seconds) if elapsed_seconds else 0.0 for name in taken
        }

    def _committed(self, places: list[Place]) -> dict[Place, int]:
        """Returns the group's committed offsets; the earliest offset for partitions without a commit."""
        answer = self._offsets_of_group.committed([TopicPartition(*place) for place in places], REQUEST_SECONDS)
        offsets = {(tp.topic, tp.partition): tp.offset for tp in answer}
        fresh = [place for place in places if offsets.get(place, -1) < 0]
        begins = self._offsets(fresh, OffsetSpec.earliest()) if fresh else {}  # type: ignore[no-untyped-call]
        return offsets | begins

    def _offsets(self, places: Iterable[Place], spec: OffsetSpec) -> dict[Place, int]:
        requested = {TopicPartition(*place): spec for place in places}
        futures: Mapping[TopicPartition, Future[Any]] = self._admin.list_offsets(
            requested, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=REQUEST_SECONDS
        )
        return {(tp.topic, tp.partition): int(answer.result(REQUEST_SECONDS).offset) for tp, answer in futures.items()}
