"""Measures the time from each fault until work goes on, and what the health pages answer meanwhile."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Self

import msgspec
from confluent_kafka import KafkaException, TopicPartition

from pipeline.chaos.pages import page
from pipeline.chaos.schedule import Fault
from pipeline.chaos.workers import ChaosWorker
from pipeline.kafka.clients import group_offsets
from pipeline.kafka.follow import Place
from pipeline.settings import Settings
from pipeline.topics import EVENTS

SAMPLE_SECONDS: Final = 0.25
REQUEST_SECONDS: Final = 2.0
MIN_SECONDS: Final = 1.0
"""A fault that lasts for no time counts as over after this."""
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
    stood_seconds: float = 0.0
    """The longest time in which a partition number committed no event, from the fault until work went on."""
    goes_on: bool = False
    """Whether, after the end of the fault, every partition number has committed an event that was sent after it."""
    livez: Counter[str] = msgspec.field(default_factory=Counter)
    readyz: Counter[str] = msgspec.field(default_factory=Counter)
    """Answer of a worker that was hit to the number of samples."""
    others: Counter[str] = msgspec.field(default_factory=Counter)
    """Answers of ``/readyz`` of the other workers."""


class _Open:
    """A fault after which work has not gone on yet."""

    def __init__(self, measured: Measured, now: float, committed: Mapping[Place, int]) -> None:
        self.measured = measured
        self._over = now + max(measured.fault.lasts_seconds, MIN_SECONDS)
        self._ends: dict[Place, int] | None = None
        """What was acknowledged when the fault was over."""
        self._moved: dict[int, float] = {}
        self._sums: dict[int, int] = {}
        self._began = now
        self._count(committed)

    def sample(self, now: float, committed: Mapping[Place, int], ends: Callable[[], dict[Place, int]]) -> bool:
        """Takes the group's offsets. Returns whether work goes on."""
        if self._ends is None and now >= self._over:
            self._ends = ends()
        for number, total in self._count(committed).items():
            before = self._moved.get(number, self._began)
            self.measured.stood_seconds = max(self.measured.stood_seconds, round(now - before, 2))
            if total:
                self._moved[number] = now
        if self._ends is None or not committed:
            return False
        done = {place[1] for place, at in committed.items() if at > self._ends.get(place, 0)}
        self.measured.goes_on = done >= {number for _, number in committed}
        return self.measured.goes_on

    def _count(self, committed: Mapping[Place, int]) -> dict[int, int]:
        """Returns by how much each partition number has advanced."""
        sums: Counter[int] = Counter()
        for (_, number), at in committed.items():
            sums[number] += max(0, at)
        advanced = {number: total - self._sums.get(number, total) for number, total in sums.items()}
        self._sums.update(sums)
        return advanced


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
        self._last: dict[Place, int] = {}
        self._client = group_offsets(settings.kafka(), settings.application_id)
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
        self._client.close()

    def begin(self, fault: Fault, hit: list[str], began: float) -> None:
        """Starts the measurement of a fault. Call right before the fault."""
        measured = Measured(fault, hit, round(began, 3))
        with self._lock:
            self.measured.append(measured)
            self._open.append(_Open(measured, time.monotonic(), self._last))

    @property
    def waiting(self) -> int:
        """Returns the number of faults after which work has not gone on yet."""
        with self._lock:
            return len(self._open)

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            pages, committed = self._ask(), self._committed()
            now = time.monotonic()
            with self._lock:
                self._last = committed or self._last
                for open_fault in list(self._open):
                    _note(open_fault.measured, pages)
                    if open_fault.sample(now, committed, self._ends):
                        self._open.remove(open_fault)

    def _committed(self) -> dict[Place, int]:
        """Returns the group's offsets; none while the broker does not answer."""
        try:
            positions = self._client.committed([TopicPartition(*place) for place in self._places], REQUEST_SECONDS)
        except KafkaException:
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
