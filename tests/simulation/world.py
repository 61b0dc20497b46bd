"""A deployment in memory: Kafka, worker processes, their disks, and a seeded random generator that schedules them.

The seed determines the whole run. While one process pauses at a step (between flush and offsets, during a restore), the
others may act, so a worker can be presumed dead, be replaced, and then continue.
"""

import contextlib
import random
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

import confluent_kafka
import msgspec

from pipeline.avro.codecs import Codecs
from pipeline.avro.registry import FileIds
from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.obs.metrics import Metrics
from pipeline.simulate.simulation import NO_BREAKER
from pipeline.stream.poller import Batch
from pipeline.stream.stages.base import Context
from pipeline.stream.unit_of_work import UnitOfWork
from pipeline.testing.kafka import MemoryKafka
from pipeline.testing.refusals import refusal
from pipeline.testing.transactions import MemoryPartition, Transaction
from pipeline.topics import ASSIGNMENTS, EVENTS, LEADS, LINKS, TOUCHES
from tests.simulation.batches import ProcessedBatch
from tests.simulation.disk import Disk
from tests.simulation.histories import IDENTITIES, START_MS, Message, history, rules_of
from tests.simulation.process import GROUP, PREFIX, SETTINGS, Crashed, Group, Process

STEPS_MS = (MINUTE_MS, MINUTE_MS, 10 * MINUTE_MS, HOUR_MS)
"""Steps by which the clock advances."""
LONG_MS = 3 * DAY_MS
"""Time after which every possible timer is due."""
RULES = tuple(rules_of(identity) for identity in IDENTITIES)
METRICS, CODECS = Metrics(), Codecs(FileIds(), PREFIX)
ENCODE = msgspec.msgpack.Encoder().encode
EVENTS_TOPIC, LINKS_TOPIC = EVENTS["web"].of(PREFIX), LINKS.of(PREFIX)
INPUTS = (EVENTS_TOPIC, LINKS_TOPIC, *(topic.of(PREFIX) for topic in (ASSIGNMENTS, TOUCHES, TOUCHES, LEADS)))
MAX_ROUNDS, RESTLESS_ROUNDS = 1000, 5
IDLE_ROUNDS = 8
"""Rounds after which every input is idle, with the clock "stream"."""

MAX_RETRIES = confluent_kafka.KafkaError.COORDINATOR_LOAD_IN_PROGRESS
ABORT = confluent_kafka.KafkaError.INVALID_TXN_STATE
RARE = 10
DANGER = {"produce": 1, "produced": 1, "offsets_sent": 40, "committed": 20}
"""Steps burn the fuse by what they are worth: a transaction has many records and one commit."""
REPEATED = frozenset({"offsets", "offsets_sent", "commit", "committed"})
"""Steps at which Kafka may return a retriable error, whether or not the call took effect."""
REFUSED = frozenset({"offsets", "commit"})
"""Steps at which Kafka may return a non-retriable error."""


SETTLED = frozenset({"committed", "aborted"})
"""Steps after which the open transaction's batches and batches count, or never will."""


class FaultProfile(NamedTuple):
    """Weights of the world's actions, and of a process's fate at a step."""

    work: int
    start: int
    die: int
    rebalance: int
    complete: int
    settle: int
    expire: int
    crash: int
    stand_still: int
    refuse: int
    replaced: int
    calm_steps: int
    """How much fuse there is between two of those, at most."""
    pauses: tuple[int, ...] = (3, 10, 30)
    """Actions of others while a process pauses in a step."""
    doze: int = 0
    """Actions of others between the end of that step and the process's next one."""


class World:
    """A simulated deployment. :meth:`play` runs a whole history; the result is in ``kafka`` and ``disks``."""

    def __init__(self, seed: int, faults: FaultProfile) -> None:
        self.chance = random.Random(seed)
        self.weather = faults
        chance = self.chance
        self.rules = chance.choice(RULES)
        self.history = history(chance)
        self.settings = chance.choice(SETTINGS)
        self.now_ms = START_MS
        self.batches: list[ProcessedBatch] = []
        """Batches of PROFILE stages in committed transactions."""
        self.consumed: list[Batch] = []
        """Records that workers consumed in committed transactions."""
        self.kafka = MemoryKafka(chance.choice((2, 2, 3)))
        self.kafka.groups[GROUP] = Group()
        self.names = [f"w{number}" for number in range(chance.choice((2, 2, 3)))]
        self.disks = {name: Disk() for name in self.names}
        self.processes: dict[str, Process] = {}
        """The newest process of each name."""
        self._busy: list[Process] = []
        """Processes in the middle of a step, the acting one last."""
        self._waiting_events = list(reversed(self.history.sent))
        self.max_records = 8
        self.lagging: MemoryPartition | None = None
        """The partition whose records wait, so that others overtake them."""
        self._members = self._acts = 0
        self._stormy, self._refusal_due = True, False
        self._fuse = chance.randint(1, faults.calm_steps)
        self._weights = list(accumulate(faults[:7]))
        self._actions = (self._work, self._start, self._die, self._rebalance, self._complete, self._mark, self._expire)

    # Called by processes

    def context(self, unit: UnitOfWork) -> Context:
        """What the stages of a process share; compiled rules, codecs and metrics are shared by all worlds."""
        partitions = self.kafka.partitions
        return Context(
            settings=self.settings, rules=self.rules, codecs=CODECS, clock=lambda: self.now_ms, emit=unit.emit,
            partition_of=self.kafka.partition_of, breaker=NO_BREAKER, metrics=METRICS,
            partitions=partitions,
            broadcast=lambda topic, key, value: unit.broadcast(topic, key, value, partitions),
        )  # fmt: skip

    def at(self, process: Process, step: str) -> None:
        """Lets the process pass, die or pause while others act, or lets Kafka refuse its call."""
        if step == "committed":
            self.batches += process.batches
            self.consumed += process.consumed
        if step in SETTLED:
            process.batches.clear()
            process.consumed.clear()
        if not self._stormy:
            return
        if self._refusal_due and step in REFUSED:
            self._refuse(step)
        self._fuse -= DANGER.get(step, RARE)
        if self._fuse > 0:
            return
        faults, chance = self.weather, self.chance
        self._fuse = chance.randint(1, faults.calm_steps)
        (what,) = chance.choices(
            ("crash", "stand still", "refuse", "replaced"),
            (faults.crash, faults.stand_still, faults.refuse, faults.replaced),
        )
        if what == "crash":
            raise Crashed
        if what == "refuse":
            self._refuse(step)
        else:
            if what == "replaced" and self.processes.get(process.name) is process:
                self._replace(process)
            if chance.random() < 0.6:  # so long that the group presumes it dead
                self.kafka.groups[GROUP].rebalance()
            self._meanwhile()
            process.wakes_at = self._acts + faults.doze

    def waiting(self, process: Process, partition: MemoryPartition) -> None:
        """Settles the transaction, or lets others act before the restore continues."""
        blocking = min(partition.unstable, key=partition.unstable.__getitem__)
        if blocking.decided:
            if self._stormy and self.chance.random() < 0.5:
                self._meanwhile()
            if partition in blocking.unmarked:
                blocking.mark(partition)
        elif self._stormy and self.chance.random() < 0.7:
            self._meanwhile()
        else:
            self.kafka.expire(blocking)

    def _refuse(self, step: str) -> None:
        """Refuses the call now, or at the next step that can be refused."""
        self._refusal_due = step not in REPEATED
        if step in REFUSED and self.chance.random() < 0.7:
            raise refusal(ABORT, requires_abort=True)
        if step in REPEATED:
            raise refusal(MAX_RETRIES, retriable=True)

    def _meanwhile(self) -> None:
        if len(self._busy) < len(self.names):
            for _ in range(self.chance.choice(self.weather.pauses)):
                self.act()

    # What happens

    def play(self) -> "World":
        """Runs the storm while events arrive, then the calm until everything is settled."""
        for name in self.names:
            self._begin(name)
        while self._waiting_events or self.chance.random() < 0.97:
            self.act()
        self._stormy, self.lagging, self.max_records = False, None, 100
        self._deliver(len(self._waiting_events))
        self._settle()
        self.now_ms += LONG_MS
        self._settle(self.now_ms)
        return self

    def act(self) -> None:
        """Performs one random action."""
        self._acts += 1
        chance = self.chance
        event = chance.random()
        if event < 0.07:
            self._deliver(chance.randint(1, 3))
        elif event < 0.11:
            topic = self.kafka.topic(chance.choice(INPUTS))
            self.lagging = chance.choice(topic)
        elif event < 0.16:
            self.now_ms += chance.choice(STEPS_MS)
        chance.choices(self._actions, cum_weights=self._weights)[0]()

    def _deliver(self, count: int) -> None:
        """Sends the next input records."""
        for _ in range(min(count, len(self._waiting_events))):
            message = self._waiting_events.pop()
            if isinstance(message, Message):
                self.now_ms = max(self.now_ms, message.at_ms)
                self.kafka.send(EVENTS_TOPIC, message.key, message.value)
            else:
                self.kafka.send(LINKS_TOPIC, message.tenant, ENCODE(message))

    def _work(self) -> None:
        awake = (process for process in self.processes.values() if process.wakes_at <= self._acts)
        idle = [process for process in awake if process not in self._busy]
        if idle:
            process = self.chance.choice(idle)
            with self._acting(process):
                process.step()

    @contextlib.contextmanager
    def _acting(self, process: Process) -> Iterator[None]:
        """Lets a process act, during which it may die."""
        self._busy.append(process)
        try:
            yield
        except (Crashed, confluent_kafka.KafkaException):  # the second: fenced for good, so the process ends
            self._buried(process)
        finally:
            self._busy.pop()

    def _start(self) -> None:
        missing = [name for name in self.names if name not in self.processes]
        if missing:
            self._begin(self.chance.choice(missing))

    def _begin(self, name: str) -> None:
        self._members += 1
        process = Process(self, name, f"m{self._members}", self.disks[name])
        self.processes[name] = process
        with self._acting(process):
            process.start()

    def _die(self) -> None:
        idle = [process for process in self.processes.values() if process not in self._busy]
        if idle:
            process = self.chance.choice(idle)
            if self.chance.random() < 0.3:  # not of a crash: it leaves the group first
                with self._acting(process):
                    process.stop()
            self._buried(process)

    def _buried(self, process: Process) -> None:
        """Keeps the dead process's folder, unless a successor has already taken over its name."""
        if self.processes.get(process.name) is process:
            del self.processes[process.name]
            if self.chance.random() < 0.3:
                process.disk.lose_power()
            process.disk.remember()

    def _replace(self, process: Process) -> None:
        """Starts a successor of a live process, on a copy of its folder."""
        self.disks[process.name] = process.disk.copy()
        self._begin(process.name)

    def _rebalance(self) -> None:
        self.kafka.groups[GROUP].rebalance()

    def _complete(self) -> None:
        """Completes the rebalance with the members that have joined. Dead and slow members lose their membership."""
        group = self.kafka.groups[GROUP]
        if group.rebalancing and group.joining:
            group.complete(self.chance.sample(list(group.joining), len(group.joining)), self.kafka.partitions)

    def _mark(self) -> None:
        """Writes one marker of a decided transaction."""
        decided = [result for result in self._unsettled() if result.decided and result.unmarked]
        if decided:
            transaction = self.chance.choice(decided)
            transaction.mark(self.chance.choice(list(transaction.unmarked)))

    def _expire(self) -> None:
        """Expires a transaction whose process is dead or paused."""
        if opened := [transaction for transaction in self._unsettled() if not transaction.decided]:
            self.kafka.expire(self.chance.choice(opened))

    def _unsettled(self) -> list[Transaction]:
        return list(self.kafka.unsettled.values())

    def _settle(self, until_ms: int | None = None) -> None:
        """Runs without faults until no process has work left, including timers due until then."""
        quiet = 0
        for number in range(MAX_ROUNDS):
            while len(self.processes) < len(self.names):
                self._start()
            self._gather()
            busy = self._round(until_ms, time_passes=until_ms is None and number < RESTLESS_ROUNDS)
            quiet = 0 if busy else quiet + 1
            if quiet > (IDLE_ROUNDS if self.settings.clock == "stream" else 0):
                return
        message = "the world does not come to rest"
        raise AssertionError(message)

    def _gather(self) -> None:
        """Removes dead members, and completes the rebalance once all others have joined."""
        group = self.kafka.groups[GROUP]
        if not group.members.keys() <= {process.member for process in self.processes.values()}:
            group.rebalance()
        for process in list(self.processes.values()):
            with self._acting(process):
                process.hear()
        alive = [process.member for process in self.processes.values()]
        if group.rebalancing and group.joining.keys() >= set(alive):
            group.complete(alive, self.kafka.partitions)

    def _round(self, until_ms: int | None, *, time_passes: bool) -> bool:
        """Lets every process do all its work. Returns whether there was any."""
        busy = False
        for process in list(self.processes.values()):
            with self._acting(process):
                busy |= process.hear() | process.restore()
                while process.take():
                    busy = True
                busy |= process.tick(until_ms)
                if time_passes:  # so that something may fall due between deciding and publishing
                    self.now_ms += self.chance.choice((MINUTE_MS, 5 * HOUR_MS))
                busy |= process.commit()
            busy |= self._mark_decided()
        for transaction in self._unsettled():
            if not transaction.decided and transaction.unmarked:
                self.kafka.expire(transaction)
        busy |= self._mark_decided()
        return busy or self.kafka.groups[GROUP].rebalancing

    def _mark_decided(self) -> bool:
        """Writes all missing markers. Returns whether there were any."""
        result = [transaction for transaction in self._unsettled() if transaction.decided and transaction.unmarked]
        for transaction in result:
            transaction.mark_everywhere()
        return bool(result)
