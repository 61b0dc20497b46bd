"""Delivers committed actions to a sink. Commits outcome, ledger row and offset of an action in one transaction.

One step of the loop:

1. Receive records; quarantine those that are not actions; skip those that another sink's replay is about.
2. Skip actions that the ledger or a later open action supersedes.
3. Deliver the actions that are due, at most one of each lead.
4. Settle their outcomes, do a part of the work beside the actions, and commit.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from connectors.crm.action_log import ActionLog, Commit, Position, Refusal
from connectors.crm.beside import Beside, Step
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.pausing import Pausing
from connectors.crm.progress import Progress
from connectors.crm.schedule import Item, Schedule, item_of, wait_ms
from connectors.crm.sink import (
    Action,
    CrmSink,
    Delivered,
    NeedsReview,
    Outcome,
    Pause,
    Refused,
    RetryLater,
    SinkError,
)
from pipeline.clock import Clock
from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import SINK_HEADER
from pipeline.kafka.record import Record
from pipeline.obs import metrics as names
from pipeline.obs.log import logger
from pipeline.obs.metrics import Metrics

Decode: TypeAlias = Callable[[bytes], dict[str, Any]]
"""Returns the fields of a ``crm-action`` record from its value. Raises ValueError if the value is not one."""

POLL_SECONDS: Final = 0.2
CONFIRM_MS: Final = 1_000
"""Age of the last commit after which the runner proves that no other has taken over, before it sends anything."""
IDLE_CONFIRM_MS: Final = 10_000
"""The same for a runner that has nothing to send: so a process that was taken over ends."""
_log = logger("connectors.crm")


class StopSignal(Protocol):
    """The part of ``threading.Event`` that the runner uses."""

    def is_set(self) -> bool:
        """Returns whether to stop."""
        ...

    def wait(self, timeout: float) -> bool:
        """Waits at most ``timeout`` seconds for the signal."""
        ...


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a runner."""

    batch_actions: int = 500
    """Maximum number of actions in one call of the sink."""
    open_actions: int = 4_000
    """Number of open actions from which no further ones are read."""
    max_tries: int = 15
    """Failed tries of one action after which it is quarantined; with the back-off about half an hour."""
    settle_ms: int = 0
    """Wait before the first delivery, in which requests of a former process end. Longer than a request may take."""


class SinkRunner:
    """One consumer that feeds one sink. A second runner of the same sink shuts the first out.

    ``name`` identifies the sink in metrics and in quarantined records. An offset is committed with the outcome of its
    action, never before. A record that is not an action is quarantined byte-identical and does not stop the sink.
    """

    def __init__(
        self,
        name: str,
        log: ActionLog,
        sink: CrmSink,
        *,
        decode: Decode,
        clock: Clock,
        ledger: Ledger | None = None,
        metrics: Metrics | None = None,
        policy: Policy | None = None,
        beside: Beside | None = None,
    ) -> None:
        self._name, self._kafka, self._sink, self._decode, self._clock = name, log, sink, decode, clock
        self._ledger, self._metrics, self._policy = ledger, metrics or Metrics(), policy or Policy()
        self._beside = beside
        self._schedule = Schedule(in_order=sink.positions() is not None)
        self._records: dict[int, Record] = {}
        self._progress: dict[int, Progress] = {}
        self._pausing = Pausing()
        self._commit = Commit()
        self._committed_ms = clock()
        self._started = False
        self.delivered = 0
        """Actions delivered so far."""
        self.skipped = 0
        """Actions that needed no delivery: superseded, or delivered before."""
        self.quarantined = 0
        """Records quarantined so far: refused, in need of a review, given up, or not an action."""

    def run(self, stop: StopSignal, *, drain: bool = False) -> None:
        """Delivers until ``stop`` is set. With ``drain``, returns as soon as every partition is settled to its end.

        Raises:
            SinkError: The sink failed, another runner took over, or Kafka no longer holds the sink's position.
            KafkaException: Kafka returned an error that is not retriable.
        """
        self._start()
        while not stop.is_set():
            self.step(stop)
            if drain and self._is_done():
                return

    def confirm(self) -> None:
        """Proves that no other runner has taken over, if the last proof is older than ``CONFIRM_MS``.

        A sink calls it before each request: a process that was stopped for a while must not send.

        Raises:
            SinkError: Another runner has taken over.
        """
        if self._clock() - self._committed_ms > CONFIRM_MS:
            self._save(always=True)

    def not_ready(self) -> list[str]:
        """Returns the reasons why actions are not being delivered now."""
        if not self._started:
            return [f"sink {self._name} reads its ledger"]
        beside = self._beside.not_ready() if self._beside is not None else []
        return [f"sink {self._name} {reason}" for reason in [*self._pausing.reasons(self._clock()), *beside]]

    def step(self, stop: StopSignal) -> None:
        """Runs one step of the loop."""
        self._receive(stop)
        self._skip([*self._schedule.superseded()])
        now_ms = self._clock()
        if self._pausing.is_over(now_ms):
            items = self._schedule.due(now_ms, self._policy.batch_actions)
            settled = self._settled_before(items)
            self._skip(settled)
            items = [item for item in items if item not in settled]
            if items:
                self._deliver(items)
        self._step_beside()
        self._save(always=self._clock() - self._committed_ms > IDLE_CONFIRM_MS)

    def _is_done(self) -> bool:
        """Returns whether everything that there is now is settled."""
        is_settled = not len(self._schedule) and self._kafka.at_end()
        return is_settled and (self._beside is None or self._beside.is_done())

    def _start(self) -> None:
        own, committed = self._sink.positions(), self._kafka.positions()
        if self._ledger is not None:
            self._ledger.apply(self._kafka.ledger_rows())
            self._metrics.set(names.CRM_LEDGER_ROWS, len(self._ledger), self._name)
        wanted = {
            partition: position.offset if own is None else own.get(partition, -1)
            for partition, position in committed.items()
        }
        for partition, offset in self._kafka.start(wanted, strict=own is not None).items():
            kept = own is None and offset == committed[partition].offset
            self._progress[partition] = Progress(offset, committed[partition].metadata if kept else "")
        self._committed_ms = self._clock()
        if self._policy.settle_ms and any(position.offset >= 0 for position in committed.values()):
            former = Pause(self._policy.settle_ms, "requests of a former process may still be under way")
            self._pausing.pause(self._committed_ms, former, progressed=True)
        self._started = True

    def _receive(self, stop: StopSignal) -> None:
        """Takes records, as many as there is room for. Waits only while there is nothing to deliver."""
        now_ms = self._clock()
        dues = [self._schedule.next_due_ms(), self._beside.next_due_ms() if self._beside is not None else None]
        next_ms = min((due_ms for due_ms in dues if due_ms is not None), default=None)
        wake_ms = max(now_ms if next_ms is None else next_ms, self._pausing.until_ms)
        wait = POLL_SECONDS if next_ms is None else min(POLL_SECONDS, max(0.0, (wake_ms - now_ms) / 1000))
        room = self._policy.open_actions - len(self._schedule)
        if room <= 0:
            if wait:
                stop.wait(wait)
            return
        self._kafka.hold([partition for partition, progress in self._progress.items() if progress.is_full])
        self._schedule.add(
            item for record in self._kafka.poll(room, wait) if (item := self._item(record)) is not None
        )  # fmt: skip
        self._metrics.set(names.CRM_OPEN, len(self._schedule), self._name)

    def _item(self, record: Record) -> Item | None:
        progress, offset = self._progress.setdefault(record.partition(), Progress(0, "")), record.offset()
        if progress.is_settled(offset):
            progress.pass_over(offset)
            return None
        progress.take(offset)
        if _is_for_another(record, self._name):
            self._settle_offset(record.partition(), offset)
            return None
        try:
            body = self._decode(bytes(record.value() or b""))
        except ValueError as error:
            self._quarantine(record, Reason.UNDECODABLE, str(error))
            self._settle_offset(record.partition(), offset)
            return None
        item = item_of(Action(record.partition(), offset, body))
        self._records[id(item)] = record
        return item

    def _step_beside(self) -> None:
        if self._beside is None:
            return
        self._beside.receive()
        is_paused = not self._pausing.is_over(self._clock())
        rows, refusals, pause = Step() if is_paused else self._beside.step()
        self._commit.rows = [*self._commit.rows, *rows]
        self._commit.refusals = [*self._commit.refusals, *refusals]
        self.quarantined += len(refusals)
        if pause is not None:
            self._pause(pause, progressed=bool(rows))
        elif rows:
            self._resume()

    def _pause(self, pause: Pause, *, progressed: bool) -> None:
        now_ms = self._clock()
        self._pausing.pause(now_ms, pause, progressed=progressed)
        self._metrics.set(names.CRM_PAUSED_SECONDS, self._pausing.left_ms(now_ms) / 1000, self._name)
        seconds = self._pausing.left_ms(now_ms) // 1000
        _log.warning("crm_sink_paused", sink=self._name, seconds=seconds, reason=pause.reason)

    def _resume(self) -> None:
        self._pausing.resume()
        self._metrics.set(names.CRM_PAUSED_SECONDS, 0.0, self._name)

    def _settled_before(self, items: Sequence[Item]) -> list[Item]:
        """Returns the items whose revision, or a higher one, the ledger holds."""
        if self._ledger is None:
            return []
        rows: dict[tuple[str, str], LedgerRow] = {}
        for tenant in {item.action.tenant for item in items}:
            wanted = [item.action.action_id for item in items if item.action.tenant == tenant]
            rows |= {(tenant, name): row for name, row in self._ledger.of_actions(tenant, wanted).items()}
        return [
            item
            for item in items
            if (row := rows.get((item.action.tenant, item.action.action_id))) is not None
            and row.revision >= item.action.revision
        ]

    def _deliver(self, items: Sequence[Item]) -> None:
        self.confirm()
        outcomes = self._sink.deliver([item.action for item in items])
        if len(outcomes) != len(items):
            problem = f"the sink returned {len(outcomes)} outcomes for {len(items)} actions; report it as a defect"
            raise SinkError(problem)
        now_ms = self._clock()
        pauses = [outcome for outcome in outcomes if isinstance(outcome, Pause)]
        if pauses:
            longest = max(pauses, key=lambda pause: pause.after_ms)
            self._pause(longest, progressed=len(pauses) < len(outcomes))
        else:
            self._resume()
        if self._schedule.in_order:
            outcomes = _to_first_unsettled(outcomes)
        settled = [
            item for item, outcome in zip(items, outcomes, strict=False) if self._is_settled(item, outcome, now_ms)
        ]
        self._remove(settled)

    def _is_settled(self, item: Item, outcome: Outcome, now_ms: int) -> bool:
        """Books one outcome. Returns whether the action is settled."""
        self._metrics.add(names.CRM_OUTCOMES, 1, self._name, _LABELS[type(outcome)])
        match outcome:
            case Delivered(row=row, remark=remark):
                self.delivered += 1
                if row is not None:
                    self._commit.rows = [*self._commit.rows, row]
                if remark:
                    _log.warning("crm_remark", sink=self._name, action_id=item.action.action_id, remark=remark)
            case Pause():
                return False
            case RetryLater(after_ms=after_ms, reason=reason):
                item.tries += 1
                if item.tries < self._policy.max_tries:
                    item.due_ms = now_ms + max(after_ms, wait_ms(item.tries))
                    return False
                self._quarantine(self._records[id(item)], Reason.SINK_GAVE_UP, reason)
            case Refused(reason=reason):
                self._quarantine(self._records[id(item)], Reason.SINK_REFUSED, reason)
            case NeedsReview(reason=reason):
                self._quarantine(self._records[id(item)], Reason.SINK_REVIEW, reason)
        return True

    def _skip(self, items: Sequence[Item]) -> None:
        if items:
            self.skipped += len(items)
            self._metrics.add(names.CRM_OUTCOMES, len(items), self._name, "superseded")
            self._remove(items)

    def _remove(self, items: Sequence[Item]) -> None:
        self._schedule.remove(items)
        for item in items:
            del self._records[id(item)]
            self._settle_offset(item.action.partition, item.action.offset)

    def _settle_offset(self, partition: int, offset: int) -> None:
        progress = self._progress[partition]
        progress.settle(offset)
        self._commit.positions[partition] = Position(progress.position, "")

    def _quarantine(self, record: Record, reason: Reason, detail: str) -> None:
        self.quarantined += 1
        self._metrics.add(names.DLQ_RECORDS, 1, "sink", reason)
        self._commit.refusals = [*self._commit.refusals, Refusal(record, reason, detail)]

    def _save(self, *, always: bool = False) -> None:
        """Commits what is settled since the last commit; with ``always`` also if nothing is."""
        commit = self._commit
        if not (commit.positions or commit.rows or commit.refusals or always):
            return
        changed = self._progress if always or not commit.positions else commit.positions
        commit.positions = {
            partition: Position(self._progress[partition].position, self._progress[partition].metadata())
            for partition in changed
        }
        proven_ms = self._clock()  # before the commit: a runner that is paused after it proves nothing for that time
        self._kafka.commit(self._commit)
        if self._ledger is not None and self._commit.rows:
            self._ledger.apply(self._commit.rows)
            self._metrics.set(names.CRM_LEDGER_ROWS, len(self._ledger), self._name)
            if self._beside is not None:
                self._beside.note(self._commit.rows)
        self._commit = Commit()
        self._committed_ms = proven_ms


_LABELS: Final[Mapping[type[Outcome], str]] = {
    Delivered: "delivered",
    RetryLater: "retried",
    Pause: "paused",
    Refused: "refused",
    NeedsReview: "review",
}


def _to_first_unsettled(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Returns the outcomes up to and with the first that settles nothing."""
    for place, outcome in enumerate(outcomes, 1):
        if isinstance(outcome, RetryLater | Pause):
            return outcomes[:place]
    return outcomes


def _is_for_another(record: Record, name: str) -> bool:
    """Returns whether the record was replayed for another sink."""
    return any(key == SINK_HEADER and value != name.encode() for key, value in record.headers() or ())
