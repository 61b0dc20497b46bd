"""Distinguishes waiting records from transaction markers.

A committed offset stops before the markers at the end of a partition, so the plain offset difference never reaches 0.
"""

import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, TopicPartition

from pipeline.kafka.clients import reader
from pipeline.kafka.follow import Place

POLL_SECONDS: Final = 1.0

Span = tuple[int, int]
"""Committed offset and end of a partition."""


class Markers:
    """Finds partitions with nothing to consume between their committed offset and their end.

    A result is cached until either offset changes, so an idle pipeline causes no reads.
    """

    def __init__(self, kafka: Mapping[str, str | int]) -> None:
        self._consumer = reader(kafka, {"fetch.wait.max.ms": 50, "queued.max.messages.kbytes": 1024})
        self._waiting: dict[Place, tuple[Span, bool]] = {}

    def close(self) -> None:
        """Closes the connections."""
        self._consumer.close()

    def waiting(self, spans: Mapping[Place, Span]) -> dict[Place, bool]:
        """Returns by partition whether a record waits. True as well if the answer took longer than ``POLL_SECONDS``."""
        unknown = {place: span for place, span in spans.items() if self._known(place, span) is None}
        for place, answer in self._poll(unknown).items():
            self._waiting[place] = (unknown[place], answer)
        return {place: self._known(place, span) is not False for place, span in spans.items()}

    def _known(self, place: Place, span: Span) -> bool | None:
        cached = self._waiting.get(place)
        return cached[1] if cached is not None and cached[0] == span else None

    def _poll(self, spans: Mapping[Place, Span]) -> dict[Place, bool]:
        if not spans:
            return {}
        waiting_by_place: dict[Place, bool] = {}
        self._consumer.assign([TopicPartition(*place, span[0]) for place, span in spans.items()])
        deadline = time.monotonic() + POLL_SECONDS
        while len(waiting_by_place) < len(spans) and time.monotonic() < deadline:
            for message in self._consumer.consume(1000, 0.05):
                place, error = (message.topic() or "", message.partition() or 0), message.error()
                if error is None:
                    waiting_by_place.setdefault(place, True)
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting_by_place.setdefault(place, (message.offset() or 0) < spans[place][1])
        self._consumer.unassign()
        return waiting_by_place
