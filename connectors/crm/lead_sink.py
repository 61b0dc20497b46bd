"""The sink of every CRM with objects: actions into leads or contacts with an owner and a note.

For each batch of actions:

1. Find the object of each action: in the ledger, by the action id in the CRM, or none yet.
2. Read what the CRM holds, follow converted and merged objects, and leave out what a higher revision or a human wrote.
3. Write the objects; one that already has the e-mail address is adopted or left to a review.
4. Write the notes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from connectors.crm.compare import compare
from connectors.crm.deviation import Deviation
from connectors.crm.fault import PAUSES, Fault, StoppedError, pause_for
from connectors.crm.finder import Finder
from connectors.crm.gateway import Gateway
from connectors.crm.ledger import LedgerView
from connectors.crm.ledger_row import DUPLICATE, OPEN, LedgerRow, value_hash
from connectors.crm.preparation import Preparation
from connectors.crm.sink import Action, Delivered, Finding, NeedsReview, Outcome, Pause, Refused, RetryLater
from connectors.crm.split import Failed, Written
from connectors.crm.values import reason_line
from connectors.crm.work import NOTE_HASH, OUR_FIELDS, Work, chosen, hashes_of, owner_of, stop_if_denied, wishes_of
from pipeline.clock import Clock
from pipeline.obs.log import logger
from pipeline.rules.crm import CrmConnection

DUPLICATE_OF: Final = "duplicate_of"
"""The kind of an action that closes a lead."""
MAX_ROUNDS: Final = 4
"""Rounds of finding and writing: new, adopted, converted or merged, recreated."""
_log = logger("connectors.crm")


class LeadSink:
    """Delivers to one account through its gateway. Implements :class:`~connectors.crm.sink.CrmSink`."""

    def __init__(
        self, connection: CrmConnection, gateway: Gateway, ledger: LedgerView, clock: Clock, close: Callable[[], None]
    ) -> None:
        self._connection, self._gateway, self._ledger, self._clock = connection, gateway, ledger, clock
        self._finder = Finder(connection, gateway)
        self._preparation = Preparation(connection, gateway)
        self._release = close
        self._unknown: list[str] = []

    def positions(self) -> None:
        """Returns None: the consumer group stores the positions."""

    def check(self) -> Sequence[Finding]:
        """Returns what keeps the sink from delivering. Changes nothing."""
        return self._preparation.check()

    def setup(self, *, dry_run: bool) -> Sequence[Finding]:
        """Creates what is missing in the CRM, and tests it with an object of its own."""
        return self._preparation.run(dry_run=dry_run)

    def compare(self, rows: Sequence[LedgerRow]) -> Iterable[Deviation]:
        """Returns the deviations of the CRM from at most 100 ledger rows of one tenant. Changes nothing."""
        return compare(rows, self._gateway)

    def close(self) -> None:
        """Closes the connections."""
        self._release()

    def deliver(self, actions: Sequence[Action]) -> Sequence[Outcome]:
        """Returns one outcome for each action, in order."""
        outcomes: dict[int, Outcome] = {place: Delivered() for place, one in enumerate(actions) if not self._takes(one)}
        pause: Pause | None = None
        for tenant in sorted({action.tenant for action in actions}):
            places = [at for at, one in enumerate(actions) if at not in outcomes and one.tenant == tenant]
            for start in range(0, len(places), self._gateway.batch):
                part = places[start : start + self._gateway.batch]
                if pause is None:
                    settled, pause = self._deliver([actions[at] for at in part], tenant)
                    outcomes |= {at: outcome for at, outcome in zip(part, settled, strict=True) if outcome}
        return [outcomes.get(place) or pause or RetryLater(0, "not reached") for place in range(len(actions))]

    def _deliver(self, actions: Sequence[Action], tenant: str) -> tuple[list[Outcome | None], Pause | None]:
        """Delivers one batch. Returns the outcomes, None for actions that a pause has left open, and the pause."""
        works: list[Work] = []
        try:
            self._works(works, actions, tenant)
            self._write(works, tenant)
        except StoppedError as stopped:
            open_ones: list[Outcome | None] = [None] * (len(actions) - len(works))
            return [work.outcome for work in works] + open_ones, stopped.pause
        return [work.outcome for work in works], None

    def _takes(self, action: Action) -> bool:
        tenants, triggers = self._connection.tenants, self._connection.triggers
        return (not tenants or action.tenant in tenants) and (not triggers or action.body.get("trigger") in triggers)

    def _works(self, works: list[Work], actions: Sequence[Action], tenant: str) -> None:
        """Adds a work for each action, with what the ledger holds of it."""
        self._report_unknown(self._gateway.fields(self._gateway.home))
        owners = self._gateway.owners()
        survivors = {str(action.body.get("duplicate_of", "")) for action in actions}
        rows = self._ledger.of_actions(tenant, [*{action.action_id for action in actions} | survivors])
        siblings = self._ledger.of_profiles(tenant, [action.profile_id for action in actions])
        for action in actions:
            row = rows.get(action.action_id)
            held = row if row is not None and row.object_id else siblings.get(action.profile_id)
            owner = owner_of(action, self._connection, owners, self._gateway.crm)
            work = Work(action, owner, self._gateway.names, row, self._gateway.home)
            if held is not None and held.object_id:
                work.object, work.object_id = held.object, held.object_id
            work.reason = reason_line(action)
            if action.body.get("kind") == DUPLICATE_OF:
                self._close(work, rows.get(str(action.body.get("duplicate_of", ""))))
            works.append(work)

    def _close(self, work: Work, survivor: LedgerRow | None) -> None:
        """Prepares the closing of a lead in favour of another one. Settles it if there is no object to close."""
        own = work.row.object_id if work.row else ""
        if not own or (survivor is not None and survivor.object_id == own):
            work.object_id = own
            work.outcome = self._delivered(work, {}, state=DUPLICATE)
        elif survivor is not None and survivor.object_id:
            work.reason = f"duplicate of {survivor.object.lower()} {survivor.object_id}"
        else:
            work.reason = f"duplicate of lead {work.action.body.get('duplicate_of', '')}"

    def _report_unknown(self, known: Mapping[str, str]) -> None:
        """Logs the fields that the CRM does not have, when their set changes: they are left out."""
        ours = {getattr(self._gateway.names, name) for name in OUR_FIELDS}
        unknown = sorted((ours | {written.to for written in self._connection.fields}) - known.keys())
        if unknown != self._unknown:
            _log.warning("crm_properties_unknown", sink=self._connection.name, properties=unknown)
            self._unknown = unknown

    def _write(self, works: Sequence[Work], tenant: str) -> None:
        for _ in range(MAX_ROUNDS):
            ready = _one_per_object(work for work in works if work.outcome is None)
            if not ready:
                return
            self._finder.read(ready, tenant)
            for work in ready:
                if work.outcome is None and work.is_overtaken:
                    work.outcome = self._delivered(work, {}, state=OPEN)
            written = self._write_objects(_one_per_object(one for one in ready if one.outcome is None), tenant)
            self._write_notes(written, tenant)
        for work in works:
            work.outcome = work.outcome or RetryLater(0, "its object changed while it was written")

    def _write_objects(self, works: Sequence[Work], tenant: str) -> list[Work]:
        """Writes the objects. Returns the works whose object is written."""
        for work in works:
            kinds = self._gateway.fields(work.object)
            work.sent = chosen(wishes_of(work, self._connection, kinds), work, kinds)
        written = [work for work in works if work.object_id and not work.sent]
        groups = [
            [work for work in works if work.object_id and work.sent and work.object == object_type]
            for object_type in sorted({work.object for work in works})
        ]
        results = [(group, self._gateway.update(group[0].object, group, tenant)) for group in groups if group]
        if new := [work for work in works if not work.object_id]:
            results.append((new, self._gateway.upsert(new, tenant)))
        for group, answers in results:
            stop_if_denied(group, answers, self._gateway.crm)
            for work, result in zip(group, answers, strict=True):
                if isinstance(result, Written) and result.id:
                    self._take(work, result)
                    written.append(work)
                else:
                    self._failed(work, result)
        return written

    def _take(self, work: Work, result: Written) -> None:
        work.object_id, work.is_new = result.id, result.is_new
        held, wanted = result.properties.get(work.names.owner), work.sent.get(work.names.owner)
        if wanted and held and held != wanted:
            work.remark = f"owner_not_kept: {self._gateway.crm} holds owner {held} instead of {wanted}"

    def _failed(self, work: Work, result: Written | Failed) -> None:
        """Settles a work whose object was not written, or leaves it to its next round."""
        failed = result if isinstance(result, Failed) else Failed(Fault.NO_RESULT, "the result has no id")
        if failed.fault in PAUSES:
            raise StoppedError(pause_for(failed.fault, failed.words))
        if failed.fault is Fault.CONFLICT and failed.existing_id and not work.object_id:
            if self._connection.existing == "adopt" or failed.is_own:
                work.object, work.object_id = failed.existing_type or work.object, failed.existing_id
            else:
                work.outcome = NeedsReview(failed.words)
        elif failed.fault is Fault.AMBIGUOUS or (failed.fault is Fault.CONFLICT and work.object_id):
            work.outcome = NeedsReview(failed.words)
        elif failed.fault in {Fault.BAD_RECORD, Fault.RIGHT_MISSING}:
            work.outcome = Refused(failed.words)
        elif failed.fault is not Fault.GONE or not work.object_id:
            work.outcome = RetryLater(0, failed.words)

    def _write_notes(self, works: Sequence[Work], tenant: str) -> None:
        """Writes the notes, and settles the works."""
        noted = [work for work in works if self._connection.story and self._is_new_story(work)]
        results = self._gateway.write_notes(noted, tenant) if noted else []
        for work, result in zip(noted, results, strict=True):
            if isinstance(result, Written) and result.id:
                work.note_id = result.id
            elif isinstance(result, Failed) and result.fault in {Fault.BAD_RECORD, Fault.RIGHT_MISSING}:
                work.remark = f"note refused: {result.words}"
            else:
                work.outcome = RetryLater(0, result.words if isinstance(result, Failed) else "the note has no id")
        for work in works:
            if work.outcome is None:
                kinds = self._gateway.fields(work.object)
                hashes = hashes_of(wishes_of(work, self._connection, kinds), work)
                if work.note_id:
                    hashes[NOTE_HASH] = value_hash(self._gateway.note_text(work))
                duplicate = work.action.body.get("kind") == DUPLICATE_OF
                work.outcome = self._delivered(work, hashes, state=DUPLICATE if duplicate else OPEN)

    def _is_new_story(self, work: Work) -> bool:
        return work.row is None or work.row.fields.get(NOTE_HASH) != value_hash(self._gateway.note_text(work))

    def _delivered(self, work: Work, hashes: dict[str, str], *, state: str) -> Delivered:
        object_type = work.object if work.object_id else ""
        row = LedgerRow(
            sink=self._connection.name,
            tenant=work.action.tenant,
            action_id=work.action.action_id,
            profile_id=work.action.profile_id,
            object=object_type,
            object_id=work.object_id,
            revision=work.action.revision,
            state=state,
            note_id=work.note_id or work.former_note,
            fields=hashes or (work.row.fields if work.row else {}),
            written_ms=self._clock(),
        )
        return Delivered(object_type, work.object_id, row, work.remark)


def _one_per_object(works: Iterable[Work]) -> list[Work]:
    """Returns works that write different objects: a CRM refuses a batch that has one twice."""
    taken: set[str] = set()
    result = []
    for work in works:
        if not work.object_id or work.object_id not in taken:
            result.append(work)
            taken.add(work.object_id)
    return result
