"""Does the faults of a schedule, each at its time, and ends those that last."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.chaos.broker import ChaosBroker
from pipeline.chaos.copies import Copies
from pipeline.chaos.disk import Disk
from pipeline.chaos.foreign import Foreign
from pipeline.chaos.plan import Kind
from pipeline.chaos.recovery import RecoveryWatch
from pipeline.chaos.schedule import Fault
from pipeline.chaos.workers import ChaosWorker, Workers

SPARE_DESCRIPTORS: Final = 0
GROUPS: Final[dict[Kind, str]] = {
    Kind.BROKER: "broker", Kind.BROKER_AND_WORKERS: "broker", Kind.CUT: "network", Kind.SILENT: "network",
    Kind.DISK: "disk",
}  # fmt: skip
"""Kinds of which one must be over before the next begins."""


class _End(NamedTuple):
    due: float
    group: str
    act: Callable[[], None]


class Faults:
    """Everything that can be broken, and the faults that are not over."""

    def __init__(
        self,
        workers: Workers,
        broker: ChaosBroker,
        *,
        disk: Disk,
        copies: Copies,
        foreign: Foreign,
        watch: RecoveryWatch,
    ) -> None:
        self._workers, self._broker, self._disk = workers, broker, disk
        self._copies, self._foreign, self._watch = copies, foreign, watch
        self._ends: list[_End] = []
        self._starting: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._acts: dict[Kind, Callable[[Fault, ChaosWorker], None]] = {
            Kind.KILL: lambda _fault, worker: worker.signal(signal.SIGKILL),
            Kind.ZOMBIE: self._zombie,
            Kind.RESIZE: lambda _fault, _worker: self._resize(),
            Kind.BROKER: self._broker_away,
            Kind.BROKER_AND_WORKERS: self._all_away,
            Kind.DISK: self._fill_disk,
            Kind.DESCRIPTORS: self._use_up_descriptors,
            Kind.CUT: lambda _fault, _worker: self._broker.proxy.cut(),
            Kind.SILENT: self._silence,
            Kind.CLOCK: self._set_clock,
            Kind.FOREIGN: lambda fault, _worker: self._foreign.send(fault.amount),
            Kind.COPY: lambda _fault, worker: _ignore(self._copies.take(worker.worker_id)),
            Kind.OLD_STATE: self._old_state,
            Kind.NO_STATE: self._no_state,
        }

    def may_begin(self, fault: Fault) -> bool:
        """Returns whether no fault is under way that this one would collide with."""
        group = GROUPS.get(fault.kind)
        busy = group == "broker" and self._starting is not None
        return not busy and not any(group and end.group == group for end in self._ends)

    def begin(self, fault: Fault, now: float) -> None:
        """Does a fault."""
        worker = self._workers.wanted[fault.worker % len(self._workers.wanted)]
        alone = fault.kind in HITS_ONE
        hit = [worker.worker_id] if alone else [each.worker_id for each in self._workers.wanted]
        self._watch.begin(fault, hit, now)
        self._acts[fault.kind](fault, worker)

    def check(self) -> None:
        """Ends the faults whose time is over. Raises what prevented the broker's start."""
        now = time.monotonic()
        for end in [end for end in self._ends if end.due <= now]:
            self._ends.remove(end)
            end.act()
        if self._starting is not None and not self._starting.is_alive():
            self._starting = None
        if self._failure is not None:
            raise self._failure

    @property
    def are_over(self) -> bool:
        """Returns whether no fault lasts and the broker runs."""
        return not self._ends and self._starting is None

    def _after(self, fault: Fault, act: Callable[[], None]) -> None:
        self._ends.append(_End(time.monotonic() + fault.lasts_seconds, GROUPS.get(fault.kind, ""), act))

    def _zombie(self, fault: Fault, worker: ChaosWorker) -> None:
        process = worker.process
        worker.signal(signal.SIGSTOP)
        if process is not None:
            self._after(fault, lambda: process.send_signal(signal.SIGCONT))

    def _resize(self) -> None:
        first = self._workers.first
        extra = self._workers.wanted[first:]
        if extra:
            extra[0].is_wanted = False
            extra[0].signal(signal.SIGTERM)
        else:
            self._workers.add()

    def _broker_away(self, fault: Fault, _worker: ChaosWorker) -> None:
        self._broker.kill()
        self._after(fault, self._start_broker)

    def _all_away(self, fault: Fault, worker: ChaosWorker) -> None:
        for each in self._workers.wanted:
            each.signal(signal.SIGKILL)
        self._broker_away(fault, worker)

    def _start_broker(self) -> None:
        def start() -> None:
            try:
                self._broker.start()
            except BaseException as error:  # noqa: BLE001 - raised by check() in the main thread
                self._failure = error

        self._starting = threading.Thread(target=start, name="broker-start", daemon=True)
        self._starting.start()

    def _fill_disk(self, fault: Fault, _worker: ChaosWorker) -> None:
        self._disk.fill(self._workers.wanted)
        self._after(fault, self._disk.free)

    def _use_up_descriptors(self, fault: Fault, worker: ChaosWorker) -> None:
        pid = worker.pid
        worker.limit_descriptors(SPARE_DESCRIPTORS)

        def restore() -> None:
            if worker.pid == pid:
                worker.limit_descriptors(None)

        self._after(fault, restore)

    def _silence(self, fault: Fault, _worker: ChaosWorker) -> None:
        self._broker.proxy.silence()
        self._after(fault, self._broker.proxy.resume)

    def _set_clock(self, fault: Fault, worker: ChaosWorker) -> None:
        worker.set_clock(fault.amount)
        self._after(fault, lambda: worker.set_clock(0))

    def _old_state(self, _fault: Fault, worker: ChaosWorker) -> None:
        if not self._copies.has(worker.worker_id):
            self._copies.take(worker.worker_id)
        worker.kill()
        self._copies.put_back(worker.worker_id)

    def _no_state(self, _fault: Fault, worker: ChaosWorker) -> None:
        worker.kill()
        self._copies.remove(worker.worker_id)


HITS_ONE: Final = frozenset({
    Kind.KILL, Kind.ZOMBIE, Kind.DESCRIPTORS, Kind.CLOCK, Kind.COPY, Kind.OLD_STATE, Kind.NO_STATE,
})  # fmt: skip
"""Kinds that are about one worker."""


def _ignore(_path: Path) -> None:
    """Drops a result."""
