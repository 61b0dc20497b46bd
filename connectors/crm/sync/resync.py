"""Compares every profile with the ledger or with the CRM itself, and writes the differences."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from connectors.crm.action_log import Refusal
from connectors.crm.ledger_row import ERASED, LedgerRow
from connectors.crm.sink import Delivered, NeedsReview, Refused
from connectors.crm.sync.board import Board
from connectors.crm.sync.plan import Planner
from connectors.crm.sync.refusal import refusal_of
from connectors.crm.sync.target import Target
from connectors.crm.sync.updates import Feed
from connectors.crm.sync.writer import SyncWriter
from pipeline.clock import Clock
from pipeline.event.reason import Reason

MAX_PROFILES: Final = 400
Save: TypeAlias = Callable[[Sequence[LedgerRow], Sequence[Refusal]], None]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of profiles compared, and of all."""


class Totals(msgspec.Struct):
    """What a resync has found and done."""

    profiles: int = 0
    records: int = 0
    """Records of the CRM that follow a profile, or did."""
    differing: int = 0
    """Records with a difference."""
    fields: Counter[str] = msgspec.field(default_factory=Counter)
    """Field → records in which it differs."""
    written: int = 0
    refused: int = 0
    """Records whose values were quarantined."""
    left: int = 0
    """Records that could not be written now: run the command again, or leave them to the sink."""
    gone: int = 0
    """Records that the CRM no longer has."""


class Resync:
    """One run. With ``dry_run`` nothing is written to the CRM or the ledger.

    ``partial``: the writer has only some of the fields. So objects of customers that are gone are left alone: the
    ledger would forget them before their other fields are empty.
    """

    def __init__(
        self, feed: Feed, board: Board, planner: Planner, writer: SyncWriter, clock: Clock, *, partial: bool = False
    ) -> None:
        self._topic, self._board, self._planner = feed.topic, board, planner
        self._writer, self._clock, self._partial = writer, clock, partial
        self.totals = Totals()

    def run(self, save: Save, *, dry_run: bool, progress: Progress) -> Totals:
        """Compares all profiles.

        Raises:
            StoppedError: The CRM is not available now. What was written is saved.
            SinkError: A right is missing, or another process took over.
        """
        self._planner.take_over()
        total = self.totals.profiles = len(self._board)
        while due := self._board.due(self._clock(), MAX_PROFILES):
            for tenant in sorted({one.tenant for one in due}):
                targets, settled = self._planner.plan([one for one in due if one.tenant == tenant], tenant)
                if self._partial:
                    settled += [one for target in targets if target.is_leaving for one in target.due]
                    targets = [target for target in targets if not target.is_leaving]
                if dry_run:
                    self._writer.changed(targets, tenant)
                else:
                    self._write(targets, tenant, save)
                for target in targets:
                    self._book(target)
                    settled += target.due if dry_run or not _is_gone(target) else ()
                for one in settled:
                    self._board.settle(one.profile_id)
            progress(total - self._board.open(), total)
        return self.totals

    def _write(self, targets: Sequence[Target], tenant: str, save: Save) -> None:
        try:
            self._writer.write(targets, tenant)
        finally:
            rows, refusals, now_ms = list[LedgerRow](), list[Refusal](), self._clock()
            for target in targets:
                match target.result:
                    case Delivered(row=row) if row is not None:
                        rows += [row, *target.closed(now_ms)]
                    case Refused(reason=words):
                        refusals.append(refusal_of(self._topic, target, Reason.SINK_REFUSED, words))
                        rows.append(target.refused(self._writer.sink, now_ms))
                    case NeedsReview(reason=words):
                        refusals.append(refusal_of(self._topic, target, Reason.SINK_REVIEW, words))
                        rows.append(target.refused(self._writer.sink, now_ms))
            if rows or refusals:
                save(rows, refusals)

    def _book(self, target: Target) -> None:
        totals = self.totals
        totals.records += target.row is not None or bool(target.object)
        if _is_gone(target):
            totals.gone += 1
            return
        if target.sent:
            totals.differing += 1
            totals.fields.update([*target.sent])
        match target.result:
            case Delivered():
                totals.written += bool(target.sent)
            case Refused() | NeedsReview():
                totals.refused += 1
            case None:
                pass  # a dry run
            case _:
                totals.left += 1


def _is_gone(target: Target) -> bool:
    return isinstance(target.result, Delivered) and target.result.row is not None and target.result.row.state == ERASED
