"""Follows profiles and brings the CRM up to date, beside the actions of one runner.

It keeps no position. Each start reads the compacted profile updates from the beginning and compares every profile with
the ledger, so that whatever a lost answer or a kill -9 has left is found and done.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from connectors.crm.action_log import Refusal
from connectors.crm.beside import Step
from connectors.crm.fault import StoppedError
from connectors.crm.ledger_row import ERASED, REMOVED, SYNC, LedgerRow
from connectors.crm.schedule import wait_ms
from connectors.crm.sink import Delivered, NeedsReview, Pause, Refused, RetryLater
from connectors.crm.sync.board import Board
from connectors.crm.sync.plan import Planner
from connectors.crm.sync.refusal import refusal_of
from connectors.crm.sync.target import Later, Target
from connectors.crm.sync.updates import Feed
from connectors.crm.sync.writer import SyncWriter
from pipeline.clock import Clock
from pipeline.event.reason import Reason
from pipeline.obs import metrics as names
from pipeline.obs.log import logger
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection

MAX_PROFILES: Final = 400
"""Profiles in one step, so that actions never wait long for them."""
MEASURE_MS: Final = 5_000
"""Time between two measurements while many profiles are due."""
_log = logger("connectors.crm")


class Recheck(NamedTuple):
    """When a profile is compared again."""

    at_ms: int
    tries: int


class Syncer:
    """Implements :class:`~connectors.crm.beside.Beside`."""

    def __init__(
        self,
        connection: CrmConnection,
        feed: Feed,
        board: Board,
        planner: Planner,
        writer: SyncWriter,
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._name, self._max_tries = connection.name, connection.max_tries
        self._feed, self._updates = feed, feed.updates
        self._board, self._planner, self._writer = board, planner, writer
        self._clock, self._metrics = clock, metrics
        self._measured_ms = 0
        self._took_over = False

    def receive(self) -> None:
        """Takes in the profiles that were published.

        One that cannot be read is logged, at each start again: the topic keeps it, and its former state stays.
        """
        profiles = self._feed.read(self._report)
        unreadable = self._board.apply(profiles) if profiles else ()
        for profile_id in unreadable:
            self._report(profile_id, "traits or consent are no JSON object")
        if not self._took_over and self._updates.has_caught_up():
            self._planner.take_over()
            self._took_over = True

    def step(self) -> Step:
        """Compares and writes some of the profiles that are due."""
        if not self._updates.has_caught_up():
            return Step()
        due = self._board.due(self._clock(), MAX_PROFILES)
        rows, refusals = list[LedgerRow](), list[Refusal]()
        for tenant in sorted({one.tenant for one in due}):
            targets, settled = self._planner.plan([one for one in due if one.tenant == tenant], tenant)
            for one in settled:
                self._board.settle(one.profile_id)
            pause = self._write(targets, tenant)
            self._reschedule([(target, self._book(target, rows, refusals)) for target in targets])
            if pause is not None:
                return Step(rows, refusals, pause)
        self._measure(len(due))
        return Step(rows, refusals)

    def note(self, rows: Sequence[LedgerRow]) -> None:
        """Compares the customers of new objects."""
        self._board.mark(row.profile_id for row in rows if row.state not in {SYNC, ERASED, REMOVED})

    def next_due_ms(self) -> int | None:
        """Returns the earliest time at which a profile is due; None without one."""
        return self._board.next_due_ms() if self._updates.has_caught_up() else None

    def is_done(self) -> bool:
        """Returns whether every profile is read and compared."""
        return self._updates.has_caught_up() and self._board.next_due_ms() is None and self._updates.is_at_end()

    def not_ready(self) -> list[str]:
        """Returns that the profiles are being read."""
        return [] if self._updates.has_caught_up() else [f"reads profiles, {len(self._board)} so far"]

    def _report(self, profile_id: str, problem: str) -> None:
        self._count("unreadable")
        _log.error("crm_sync_unreadable", sink=self._name, profile_id=profile_id, problem=problem)

    def _write(self, targets: Sequence[Target], tenant: str) -> Pause | None:
        try:
            self._writer.write(targets, tenant)
        except StoppedError as stopped:
            return stopped.pause
        return None

    def _book(self, target: Target, rows: list[LedgerRow], refusals: list[Refusal]) -> Recheck | None:
        """Books the result of one target. Returns when it is due again, and the tries; None if it is settled."""
        now_ms = self._clock()
        match target.result:
            case None:
                return Recheck(now_ms, max((one.tries for one in target.due), default=0))
            case Delivered(row=row):
                rows += [row, *target.closed(now_ms)] if row is not None else []
                self._count("written" if row is not None else "equal")
                is_gone = row is not None and row.state == ERASED  # the customer may have another object
                return Recheck(now_ms, 0) if is_gone else None
            case Later(at_ms=at_ms):
                return Recheck(at_ms, 0)
            case RetryLater(after_ms=after_ms, reason=words):
                tries, reason = 1 + max((one.tries for one in target.due), default=0), Reason.SINK_GAVE_UP
                if tries < self._max_tries:
                    self._count("retried")
                    return Recheck(now_ms + max(after_ms, wait_ms(tries)), tries)
            case Refused(reason=words):
                reason = Reason.SINK_REFUSED
            case NeedsReview(reason=words):
                reason = Reason.SINK_REVIEW
        self._count("refused")
        self._metrics.add(names.DLQ_RECORDS, 1, "sink", reason)
        refusals.append(refusal_of(self._feed.topic, target, reason, words))
        rows.append(target.refused(self._name, now_ms))
        return None

    def _reschedule(self, booked: Sequence[tuple[Target, Recheck | None]]) -> None:
        """Settles the profiles of which every target is settled; the others are due with the first open one."""
        again: dict[str, list[Recheck]] = {}
        for target, due in booked:
            for profile in target.due:
                again.setdefault(profile.profile_id, []).extend([due] if due is not None else [])
        for profile_id, dues in again.items():
            if dues:
                first = min(dues)
                self._board.postpone(profile_id, first.at_ms, tries=first.tries)
            else:
                self._board.settle(profile_id)

    def _measure(self, done: int) -> None:
        """Counts the profiles that are due; now and then only while there are many."""
        now_ms = self._clock()
        if done < MAX_PROFILES or now_ms - self._measured_ms >= MEASURE_MS:
            self._metrics.set(names.CRM_SYNC_OPEN, self._board.overdue(now_ms), self._name)
            self._measured_ms = now_ms

    def _count(self, outcome: str) -> None:
        self._metrics.add(names.CRM_SYNCED, 1, self._name, outcome)
