"""Measures the time from each fault until work goes on, and what the health pages answer meanwhile."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Self

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from pipeline.chaos.pages import page
from pipeline.chaos.schedule import Fault
from pipeline.chaos.workers import ChaosWorker
from pipeline.kafka.clients import KafkaAdmin, admin
from pipeline.kafka.follow import Place
from pipeline.settings import Settings
from pipeline.topics import EVENTS

SAMPLE_SECONDS: Final = 0.25
REQUEST_SECONDS: Final = 2.0
MAX_TEXTS: Final = 40
"""Different answers that are kept of each page and fault."""


class Pages(NamedTuple):
    """The answers of one worker's two health pages."""

    livez: str
    readyz: str


class Measured(msgspec.Struct):
    """One fault, until work went on."""

    fault: Fault
    hit: list[str]
    """Ids of the workers that the fault is about."""
    began: float
    """Seconds after the start of the load."""
    seconds: float | None = None
    """From the fault until every partition number has committed an event that was acknowledged after it."""
    livez: Counter[str] = msgspec.field(default_factory=Counter)
    readyz: Counter[str] = msgspec.field(default_factory=Counter)
    """Answer of a worker that was hit to the number of samples."""
    others: Counter[str] = msgspec.field(default_factory=Counter)
    """Answers of ``/readyz`` of the other workers."""


class _Open(NamedTuple):
    measured: Measured
    started: float
    ends: dict[Place, int]


class RecoveryWatch:
    """A thread that samples. A context manager."""

    def __init__(
        self, settings: Settings, workers: Callable[[], Collection[ChaosWorker]], ends: Callable[[], dict[Place, int]]
    ) -> None:
        """``ends`` returns the offset behind the last acknowledged event of each partition."""
        self._settings, self._workers, self._ends = settings, workers, ends
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._open: list[_Open] = []
        self.measured: list[Measured] = []
        self._pool = ThreadPoolExecutor(8, "health-page")
        self._thread = threading.Thread(target=self._watch, name="recovery-watch", daemon=True)
        prefix, partitions = settings.topic_prefix, range(settings.partitions)
        self._places = [(topic.of(prefix), number) for topic in EVENTS.values() for number in partitions]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._pool.shutdown()

    def begin(self, fault: Fault, hit: list[str], began: float) -> None:
        """Starts the measurement of a fault. Call right before the fault."""
        measured = Measured(fault, hit, round(began, 3))
        with self._lock:
            self.measured.append(measured)
            self._open.append(_Open(measured, time.monotonic(), self._ends()))

    @property
    def waiting(self) -> int:
        """Returns the number of faults after which work has not gone on yet."""
        with self._lock:
            return len(self._open)

    def _watch(self) -> None:
        client = admin(self._settings.kafka())
        while not self._ended.wait(SAMPLE_SECONDS):
            pages = self._ask()
            committed = self._committed(client)
            now = time.monotonic()
            with self._lock:
                for open_fault in list(self._open):
                    _note(open_fault.measured, pages)
                    if committed and self._goes_on(open_fault.ends, committed):
                        open_fault.measured.seconds = round(now - open_fault.started, 2)
                        self._open.remove(open_fault)

    def _goes_on(self, ends: Mapping[Place, int], committed: Mapping[Place, int]) -> bool:
        numbers = {number for place, at in committed.items() for number in (place[1],) if at > ends.get(place, 0)}
        return len(numbers) == self._settings.partitions

    def _committed(self, client: KafkaAdmin) -> dict[Place, int]:
        group = self._settings.application_id
        request = [ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in self._places])]
        try:
            answer = client.list_consumer_group_offsets(request, request_timeout=REQUEST_SECONDS)
            positions = answer[group].result(REQUEST_SECONDS).topic_partitions
        except (KafkaException, TimeoutError):
            return {}
        return {(at.topic, at.partition): at.offset for at in positions if at.error is None}

    def _ask(self) -> dict[str, Pages]:
        workers = [worker for worker in self._workers() if worker.port]
        answers = self._pool.map(lambda worker: Pages(page(worker.port, "livez"), page(worker.port, "readyz")), workers)
        return {worker.worker_id: pages for worker, pages in zip(workers, answers, strict=True)}


def _note(measured: Measured, pages: Mapping[str, Pages]) -> None:
    for worker_id, answer in pages.items():
        if worker_id in measured.hit:
            _count(measured.livez, answer.livez)
            _count(measured.readyz, answer.readyz)
        else:
            _count(measured.others, answer.readyz)


def _count(answers: Counter[str], text: str) -> None:
    if text in answers or len(answers) < MAX_TEXTS:
        answers[text] += 1
