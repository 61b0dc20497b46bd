"""Sends the day's events in order of time, with the day compressed into a number of seconds.

Web, app, e-mail and till events go through the collector; those of the ad platform and the CRM go to their topics.
"""

from collections import Counter
from collections.abc import Mapping

import confluent_kafka

from connectors.sources.outgoing import EventEncoder
from pipeline.demo.door import CHANNELS, Door
from pipeline.demo.shop import ShopDay
from pipeline.demo.visits import JsonEvent
from pipeline.errors import OperatorError
from pipeline.event.duration import DAY_MS
from pipeline.event.instant import parse_instant
from pipeline.event.result import Rejected
from pipeline.kafka.clients import idempotent_producer

FLUSH_SECONDS = 30.0


class SendError(OperatorError):
    """An event could not be sent. Operator action: follow the message and start the demo again."""


class EventSender:
    """Sends due events. The producer is idempotent, so every event is on its topic exactly once.

    ``seconds`` is the length of the day on the wall clock; 0 sends all events as fast as possible.
    """

    def __init__(
        self, kafka: Mapping[str, str | int], encode: EventEncoder, day: ShopDay, seconds: float, door: Door
    ) -> None:
        self.sent = 0
        self.by_channel: Counter[str] = Counter()
        self.events, self.seconds = len(day.events), seconds
        self.identifiers = sum(len(person.identifiers) for person in day.people)
        self._encode, self._events = encode, day.events
        begin_ms = day.end_ms - DAY_MS
        self._due_seconds = [
            ((parse_instant(event["timestamp"]) or 0) - begin_ms) / DAY_MS * seconds for event in day.events
        ]
        self._failed: list[str] = []
        self._door = door
        self._producer = idempotent_producer(kafka, {"compression.type": "lz4", "linger.ms": 20})

    @property
    def is_over(self) -> bool:
        """Returns whether every event has been sent."""
        return self.sent == len(self._events)

    def send_due(self, elapsed_seconds: float, limit: int) -> None:
        """Sends the events due ``elapsed_seconds`` after the start of the day, at most ``limit`` per call.

        Raises:
            SendError: the rules or the broker refused an event.
            DoorError: the collector did not take an event.
        """
        begin, until = self.sent, min(len(self._events), self.sent + limit)
        while self.sent < until and self._due_seconds[self.sent] <= elapsed_seconds:
            event = self._events[self.sent]
            if event["channel"] not in CHANNELS:
                self._send(event)
            self.by_channel[event["channel"]] += 1
            self.sent += 1
        self._door.send(self._events[begin : self.sent])
        self._producer.poll(0)
        if self.is_over:
            self._door.wait()
        if self.is_over and self._producer.flush(FLUSH_SECONDS):
            self._failed.append(f"the broker did not take the last events within {FLUSH_SECONDS:.0f} s")
        if self._failed:
            raise SendError(self._failed[0])

    def _send(self, event: JsonEvent) -> None:
        record = self._encode(event)
        if isinstance(record, Rejected):
            message = f"the current rules refuse an event of the shop day: {record.reason}, {record.detail}"
            raise SendError(message)
        self._producer.produce(record.topic, record.value, record.key, on_delivery=self._delivered)

    def _delivered(self, error: confluent_kafka.KafkaError | None, _message: confluent_kafka.Message) -> None:
        if error is not None:
            self._failed.append(f"the broker refused an event: {error.str()}")
