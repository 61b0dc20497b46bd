"""One run: workers on a Kafka of their own, faults, and the comparison with ``simulate``."""

import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaException

from pipeline.chaos.broker import ChaosBroker
from pipeline.chaos.check_standing import Left, held, waiting, written
from pipeline.chaos.copies import Copies
from pipeline.chaos.day import Sent, day_of, rules_of
from pipeline.chaos.disk import Disk
from pipeline.chaos.faults import Faults
from pipeline.chaos.foreign import Foreign
from pipeline.chaos.plan import Plan
from pipeline.chaos.producers import Producers
from pipeline.chaos.recovery import RecoveryWatch
from pipeline.chaos.report import Report, recoveries
from pipeline.chaos.schedule import Fault, schedule
from pipeline.chaos.soak import SMALL_CACHES, Soak
from pipeline.chaos.verdict import Evidence, compare
from pipeline.chaos.workers import Workers
from pipeline.errors import OperatorError
from pipeline.event.duration import DAY_MS
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.retry import NO_BROKER_CODES, is_passing
from pipeline.query.flow import FlowMeter
from pipeline.settings import Settings

NAME: Final = "chaos"
TICK_SECONDS: Final = 0.05
READY_SECONDS: Final = 120.0
WORKERS_HOME: Final = "workers"
SKEW_SECONDS: Final = 60.0
"""By how much one producer may be ahead of another, for example after the broker was away."""


class State(msgspec.Struct, frozen=True):
    """How far a run is, for a progress line."""

    step: str
    seconds: float
    faults: int
    acknowledged: int


Show = Callable[[State], None]


class NotReadyError(OperatorError):
    """The workers did not become ready before the first fault. Operator action: see their logs in the run's folder."""


def run(plan: Plan, base: Settings, folder: Path, replay: str, show: Show) -> Report:
    """Runs a plan in an empty folder. Nothing is left running.

    Raises:
        InputError: the rules refuse events of the shop day.
        ServerError: the broker did not start.
        NotReadyError: the workers did not become ready before the first fault.
        ProducerError, ForeignError: the broker refused records for good.
    """
    began = time.monotonic()
    disk = Disk(folder / WORKERS_HOME)
    with ExitStack() as stack:
        stack.callback(disk.close)
        show(State("starting Kafka", 0, 0, 0))
        broker = stack.enter_context(ChaosBroker(folder / "kafka"))
        settings = _settings(plan, base, folder, broker.proxied)
        direct = settings.model_copy(update={"bootstrap_servers": broker.direct})
        rules = rules_of(direct)
        show(State("writing the day", 0, 0, 0))
        day = day_of(direct, rules, plan.seed, plan.events)
        ensure_topics(direct)
        scene = _Scene(stack, plan, settings, direct, broker=broker, disk=disk, folder=folder, day=day, show=show)
        scene.play()
        left = scene.drain()
        codes = scene.workers.leave()
        show(State("comparing", plan.seconds, plan.faults, len(day)))
        evidence = Evidence(
            settings=direct, rules=rules, day=day, foreign=scene.foreign, left=left, codes=codes,
            state=settings.home / "state" / NAME, copies=scene.copies.taken(), folder=folder, soak=plan.soak,
            trends=scene.soak.trends(),
        )  # fmt: skip
        verdict = compare(evidence)
        return Report(
            plan=plan, replay=replay, broker=broker.description, disk=disk.how, events=len(day),
            seconds=round(time.monotonic() - began, 1), lives=scene.workers.lives, foreign=scene.foreign.sent,
            copies=scene.copies.count, unusable_copies=verdict.unusable_copies, sent_twice=verdict.sent_twice,
            recoveries=recoveries(scene.watch.measured),
            ends=dict(Counter(f"{code}: {line}" for _, code, line in scene.workers.ends).most_common()),
            exit_codes=codes, trends=evidence.trends, comparisons=verdict.comparisons,
        )  # fmt: skip


def _settings(plan: Plan, base: Settings, folder: Path, servers: str) -> Settings:
    """Returns the workers' settings: of the base only the rules; in a soak with small caches."""
    chosen: dict[str, Any] = {} if base.rules_dir is None else {"rules_dir": base.rules_dir.resolve()}
    if plan.soak:
        chosen |= SMALL_CACHES
    return Settings(
        bootstrap_servers=servers, topic_prefix=NAME, application_id=NAME, partitions=plan.partitions, clock="stream",
        home=(folder / WORKERS_HOME).resolve(), session_timeout_ms=plan.session_timeout_ms,
        stream_lateness_ms=_lateness_ms(plan.seconds), **chosen,
    )  # fmt: skip


def _lateness_ms(load_seconds: float) -> int:
    """Returns ``SKEW_SECONDS`` in the event time of a load. With a day, no event would pass before the load ends."""
    return min(DAY_MS, round(DAY_MS * SKEW_SECONDS / load_seconds))


class _Scene:
    """What a run consists of, started in order and ended by ``stack``."""

    def __init__(
        self, stack: ExitStack, plan: Plan, settings: Settings, direct: Settings, *, broker: ChaosBroker,
        disk: Disk, folder: Path, day: list[Sent], show: Show,
    ) -> None:  # fmt: skip
        self._stack, self._plan, self._direct, self._show, self._disk = stack, plan, direct, show, disk
        self.workers = stack.enter_context(Workers(settings, folder, plan.workers))
        self.producers = Producers({"bootstrap.servers": broker.proxied}, day, plan.seconds)
        self.watch = stack.enter_context(
            RecoveryWatch(direct, lambda: [each for each in self.workers.all if each.is_wanted], self.producers.ends)
        )
        self.soak = Soak(lambda: self.workers.all, disk.used_bytes, lambda: self.producers.acknowledged)
        self.foreign = Foreign(direct.kafka(), direct.topic_prefix, plan.partitions)
        self.copies = Copies(settings.home / "state" / NAME, folder / "copies")
        self._faults = Faults(
            self.workers, broker, disk=disk, copies=self.copies, foreign=self.foreign, watch=self.watch
        )
        self._begun = 0
        self._began = 0.0

    def play(self) -> None:
        """Sends the day and does the faults. Returns when both are done and no fault lasts."""
        self._until(self.workers.are_ready, READY_SECONDS, "waiting for the workers")
        waiting_faults = schedule(self._plan)
        self._stack.enter_context(self.producers)
        self._began = time.monotonic()
        while waiting_faults or not self._faults.are_over or not self.producers.are_done:
            self._tick("faults")
            while waiting_faults and self._is_due(waiting_faults[0]):
                self._faults.begin(waiting_faults.pop(0), time.monotonic() - self._began)
                self._begun += 1
        self.foreign.flush()

    def drain(self) -> list[str]:
        """Waits until everything is processed. Returns what is left once it has not become less for the plan's time."""
        least, texts = math.inf, ["nothing is known of what is waiting"]
        deadline = time.monotonic() + self._plan.timeout_seconds
        with closing(FlowMeter(self._direct)) as meter:
            while texts and time.monotonic() < deadline:
                self._tick("waiting for the workers to finish")
                try:
                    records, texts = self._left(meter)
                except KafkaException as error:
                    if not is_passing(error) and error.args[0].code() not in NO_BROKER_CODES:
                        raise
                    continue
                if records < least:
                    least, deadline = records, time.monotonic() + self._plan.timeout_seconds
        return texts

    def _left(self, meter: FlowMeter) -> Left:
        before = written(self._direct)
        on_kafka = waiting(self._direct, meter)
        in_workers = held([worker.port for worker in self.workers.all if worker.is_wanted], self._direct.partitions)
        texts = on_kafka.texts + in_workers.texts
        if not texts and written(self._direct) != before:
            texts = ["records were written meanwhile"]
        return Left(on_kafka.records + in_workers.records, texts)

    def _is_due(self, fault: Fault) -> bool:
        return fault.at_seconds <= time.monotonic() - self._began and self._faults.may_begin(fault)

    def _tick(self, step: str) -> None:
        time.sleep(TICK_SECONDS)
        self.workers.check()
        self._faults.check()
        self.soak.check()
        seconds = time.monotonic() - self._began if self._began else 0.0
        self._show(State(step, seconds, self._begun, self.producers.acknowledged))

    def _until(self, condition: Callable[[], bool], seconds: float, step: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self._tick(step)
            if time.monotonic() > deadline:
                message = f"{step}: not within {seconds:.0f} s; the last lines of the workers:\n" + "\n".join(
                    worker.last_line() for worker in self.workers.all
                )
                raise NotReadyError(message)
