"""Sends the input at a steady pace, each record with its producer's number and a sequence number in its headers."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self
from zlib import crc32

from pipeline.chaos.day import Sent
from pipeline.errors import OperatorError
from pipeline.kafka.clients import KafkaProducer, idempotent_producer
from pipeline.kafka.follow import Place
from pipeline.kafka.retry import produce_when_free

PRODUCER, SEQUENCE = "chaos-producer", "chaos-sequence"
"""Headers of every record of the input."""
PRODUCERS: Final = 3
TICK_SECONDS: Final = 0.02
FLUSH_SECONDS: Final = 1.0
OPTIONS: Final[Mapping[str, Any]] = {
    "linger.ms": 20,
    "compression.type": "lz4",
    "message.timeout.ms": 0,  # never gives up: the broker is away for minutes
}


class ProducerError(OperatorError):
    """The broker refused an event for good. The run says nothing about the pipeline."""


class Producers:
    """Threads of producers. A context manager: leaving it stops them, whatever is left to be sent.

    All events of a key are sent by one producer, in the order of the day.
    """

    def __init__(self, kafka: Mapping[str, str | int], day: Sequence[Sent], seconds: float) -> None:
        self._day, self._seconds = day, seconds
        self._clients = [idempotent_producer(kafka, OPTIONS) for _ in range(PRODUCERS)]
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._ends: dict[Place, int] = {}
        self.acknowledged = 0
        self.failed: list[str] = []
        self._threads = [
            threading.Thread(target=self._send, args=(number,), name=f"producer-{number}", daemon=True)
            for number in range(PRODUCERS)
        ]
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def are_done(self) -> bool:
        """Returns whether every event is acknowledged.

        Raises:
            ProducerError: the broker refused one.
        """
        if self.failed:
            raise ProducerError(self.failed[0])
        return self.acknowledged == len(self._day)

    def ends(self) -> dict[Place, int]:
        """Returns the offset behind the last acknowledged event of each partition. Needs no broker."""
        with self._lock:
            return dict(self._ends)

    def _send(self, number: int) -> None:
        client = self._clients[number]
        mine = [
            (at, sent) for at, sent in enumerate(self._day) if crc32(sent.record.key.encode()) % PRODUCERS == number
        ]
        for sequence, (at, sent) in enumerate(mine):
            due = self._began + self._seconds * at / len(self._day)
            while not self._ended.is_set() and time.monotonic() < due:
                client.poll(TICK_SECONDS)
            if self._ended.is_set():
                break
            headers: list[tuple[str, str | bytes | None]] = [
                (PRODUCER, str(number).encode()), (SEQUENCE, str(sequence).encode()),
            ]  # fmt: skip
            produce_when_free(
                client, sent.record.topic, sent.record.value, sent.record.key,
                headers=headers, on_delivery=self._delivered,
            )  # fmt: skip
        self._flush(client)

    def _flush(self, client: KafkaProducer) -> None:
        while not self._ended.is_set() and client.flush(FLUSH_SECONDS):
            pass

    def _delivered(self, error: Any, message: Any) -> None:
        with self._lock:
            if error is not None:
                self.failed.append(f"the broker refused an event: {error.str()}")
                return
            place = (message.topic(), message.partition())
            self._ends[place] = max(self._ends.get(place, 0), message.offset() + 1)
            self.acknowledged += 1
