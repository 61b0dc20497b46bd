"""The HubSpot sink: actions into contacts with an owner and a note.

For each batch of at most 100 actions:

1. Find the contact of each action: in the ledger, by the action id in HubSpot, or none yet.
2. Read what HubSpot holds, follow merged contacts, and leave out what a higher revision or a human has written.
3. Write the contacts; a contact that already has the e-mail address is adopted or left to a review.
4. Write the notes and attach them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from connectors.crm.deviation import Deviation
from connectors.crm.exchange import Call, Send
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.hubspot.answers import CRM, associated, batch_of, checked, names_unknown_property, rows_of
from connectors.crm.hubspot.calls import Calls, note_text
from connectors.crm.hubspot.compare import compare
from connectors.crm.hubspot.directory import Directory
from connectors.crm.hubspot.setup import CONTACT_PROPERTIES, Setup
from connectors.crm.hubspot.work import (
    KEY,
    NOTE_HASH,
    NOTE_KEY,
    OWNER,
    REVISION,
    Work,
    chosen,
    hashes_of,
    owner_of,
    wishes_of,
)
from connectors.crm.ledger import LedgerView
from connectors.crm.ledger_row import DUPLICATE, OPEN, LedgerRow, value_hash
from connectors.crm.sink import Action, Delivered, Finding, NeedsReview, Outcome, Pause, Refused, RetryLater
from connectors.crm.split import Batch, Failed, Splitter, Written
from connectors.crm.values import reason_line
from pipeline.clock import Clock
from pipeline.obs.log import logger
from pipeline.rules.crm import CrmConnection

BATCH: Final = 100
CONTACT: Final = "contact"
DUPLICATE_OF: Final = "duplicate_of"
"""The kind of an action that closes a lead."""
MAX_ROUNDS: Final = 4
"""Rounds of finding and writing: new, adopted, merged, recreated."""
_log = logger("connectors.crm")


class HubSpotSink:
    """Delivers to one HubSpot account. Implements :class:`~connectors.crm.sink.CrmSink`."""

    def __init__(
        self, connection: CrmConnection, send: Send, ledger: LedgerView, clock: Clock, close: Callable[[], None]
    ) -> None:
        self._connection, self._send, self._ledger, self._clock = connection, send, ledger, clock
        self._calls = Calls(connection)
        self._directory = Directory(self._calls, send, clock)
        self._setup = Setup(connection, self._calls, self._directory, send)
        self._splitter = Splitter()
        self._release = close
        self._properties: dict[str, str] = {}
        self._unknown: list[str] = []

    def positions(self) -> None:
        """Returns None: the consumer group stores the positions."""

    def check(self) -> Sequence[Finding]:
        """Returns what keeps the sink from delivering. Changes nothing."""
        return self._setup.check()

    def setup(self, *, dry_run: bool) -> Sequence[Finding]:
        """Creates the properties that are missing, and tests them with a contact of its own."""
        return self._setup.run(dry_run=dry_run)

    def compare(self, rows: Sequence[LedgerRow]) -> Iterable[Deviation]:
        """Returns the deviations of HubSpot from at most 100 ledger rows of one tenant. Changes nothing."""
        return compare(rows, self._calls, self._send)

    def close(self) -> None:
        """Closes the connections."""
        self._release()

    def deliver(self, actions: Sequence[Action]) -> Sequence[Outcome]:
        """Returns one outcome for each action, in order."""
        outcomes: dict[int, Outcome] = {place: Delivered() for place, one in enumerate(actions) if not self._takes(one)}
        pause: Pause | None = None
        for tenant in sorted({action.tenant for action in actions}):
            places = [at for at, one in enumerate(actions) if at not in outcomes and one.tenant == tenant]
            for start in range(0, len(places), BATCH):
                part = places[start : start + BATCH]
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
        self._properties = self._directory.properties(story=self._connection.story)
        self._report_unknown()
        owners = self._directory.owners()
        survivors = {str(action.body.get("duplicate_of", "")) for action in actions}
        rows = self._ledger.of_actions(tenant, [*{action.action_id for action in actions} | survivors])
        siblings = self._ledger.of_profiles(tenant, [action.profile_id for action in actions])
        for action in actions:
            row = rows.get(action.action_id)
            held = row if row is not None and row.object_id else siblings.get(action.profile_id)
            work = Work(action, owner_of(action, self._connection, owners), row, held.object_id if held else "")
            work.reason = reason_line(action)
            if action.body.get("kind") == DUPLICATE_OF:
                self._close(work, rows.get(str(action.body.get("duplicate_of", ""))))
            works.append(work)

    def _close(self, work: Work, survivor: LedgerRow | None) -> None:
        """Prepares the closing of a lead in favour of another one. Settles it if there is no contact to close."""
        own = work.row.object_id if work.row else ""
        if not own or (survivor is not None and survivor.object_id == own):
            work.outcome = self._delivered(work, {}, state=DUPLICATE, contact_id=own)
        elif survivor is not None and survivor.object_id:
            work.reason = f"duplicate of contact {survivor.object_id}"
        else:
            work.reason = f"duplicate of lead {work.action.body.get('duplicate_of', '')}"

    def _report_unknown(self) -> None:
        """Logs the properties that HubSpot does not have, when their set changes: they are left out."""
        wanted = {*CONTACT_PROPERTIES, *(written.to for written in self._connection.fields)}
        unknown = sorted(wanted - self._properties.keys())
        if unknown != self._unknown:
            _log.warning("crm_properties_unknown", sink=self._connection.name, properties=unknown)
            self._unknown = unknown

    def _write(self, works: Sequence[Work], tenant: str) -> None:
        for _ in range(MAX_ROUNDS):
            open_works = [work for work in works if work.outcome is None]
            ready = _one_per_contact(open_works)
            if not ready:
                return
            self._read(ready, tenant)
            ready = [work for work in ready if work.outcome is None]
            written = self._write_contacts(ready, tenant)
            self._write_notes(written, tenant)
        for work in works:
            work.outcome = work.outcome or RetryLater(0, "its contact changed while it was written")

    def _read(self, works: Sequence[Work], tenant: str) -> None:
        """Reads what HubSpot holds, and settles works that must not be written."""
        names = self._names(works)
        known = [work for work in works if work.contact_id]
        new = [work for work in works if not work.contact_id]
        if known:
            rows = rows_of(self._send(self._calls.read_by_id([work.contact_id for work in known], names, tenant)))
            for work in known:
                work.current = rows.get(work.contact_id)
                if work.current is None:
                    self._follow(work, names, tenant)
        if new:
            found = rows_of(self._send(self._calls.read_by_key([one.action.action_id for one in new], names, tenant)))
            by_key = {properties.get(KEY): (name, properties) for name, properties in found.items()}
            for work in new:
                if hit := by_key.get(work.action.action_id):
                    work.contact_id, work.current = hit
        for work in works:
            if work.outcome is None and work.is_overtaken:
                work.outcome = self._delivered(work, {}, state=OPEN, contact_id=work.contact_id)

    def _follow(self, work: Work, names: Sequence[str], tenant: str) -> None:
        """Looks for a contact that HubSpot does not find by its id: merged into another one, or deleted."""
        answer = self._send(self._calls.read_one(work.contact_id, names, tenant))
        failed = checked(answer)
        if failed is None and isinstance(answer.body, dict) and answer.body.get("id"):
            work.contact_id, work.current = str(answer.body["id"]), answer.body.get("properties") or {}
        elif failed is not None and failed.fault is Fault.GONE:
            if self._connection.deleted == "review":
                work.outcome = NeedsReview(f"contact {work.contact_id} was deleted in {CRM}")
            work.contact_id, work.row = "", None
        else:
            work.outcome = RetryLater(0, answer.words())

    def _write_contacts(self, works: Sequence[Work], tenant: str) -> list[Work]:
        """Writes the contacts. Returns the works whose contact is written."""
        for work in works:
            work.sent = chosen(wishes_of(work, self._connection), work, self._properties)
        unchanged = [work for work in works if work.contact_id and not work.sent]
        known = [work for work in works if work.contact_id and work.sent]
        new = [work for work in works if not work.contact_id]
        written = [*unchanged]
        for group, call in ((known, self._calls.update), (new, self._calls.upsert)):
            results = self._splitter.write(group, self._once(call, tenant, KEY))
            for work, result in zip(group, results, strict=True):
                if isinstance(result, Written) and result.id:
                    self._take(work, result)
                    written.append(work)
                else:
                    self._failed(work, result)
        return written

    def _take(self, work: Work, result: Written) -> None:
        work.contact_id = result.id
        held, wanted = result.properties.get(OWNER), work.sent.get(OWNER)
        if wanted and held and held != wanted:
            work.remark = f"owner_not_kept: {CRM} holds owner {held} instead of {wanted}"

    def _failed(self, work: Work, result: Written | Failed) -> None:
        """Settles a work whose contact was not written, or prepares its next round."""
        failed = result if isinstance(result, Failed) else Failed(Fault.NO_RESULT, "the result has no id")
        if failed.fault is Fault.SLOW_DOWN:
            raise StoppedError(Pause(0, failed.words))
        if failed.fault is Fault.CONFLICT and failed.existing_id and not work.contact_id:
            if self._connection.existing == "adopt":
                work.contact_id = failed.existing_id
            else:
                work.outcome = NeedsReview(failed.words)
        elif failed.fault is Fault.CONFLICT and work.contact_id:
            work.outcome = NeedsReview(failed.words)
        elif failed.fault is Fault.BAD_RECORD:
            work.outcome = Refused(failed.words)
        else:
            work.outcome = RetryLater(0, failed.words)

    def _write_notes(self, works: Sequence[Work], tenant: str) -> None:
        """Writes and attaches the notes, and settles the works."""
        noted = [work for work in works if self._connection.story and self._is_new_story(work)]
        results = self._splitter.write(noted, self._once(self._calls.upsert_notes, tenant, NOTE_KEY))
        for work, result in zip(noted, results, strict=True):
            if isinstance(result, Written) and result.id:
                work.note_id = result.id
            elif isinstance(result, Failed) and result.fault is Fault.BAD_RECORD:
                work.remark = f"note refused: {result.words}"
            else:
                work.outcome = RetryLater(0, result.words if isinstance(result, Failed) else "the note has no id")
        attached = [work for work in noted if work.note_id and work.outcome is None]
        if attached:
            answer = self._send(self._calls.associate(attached, tenant))
            failed, done = checked(answer), associated(answer)
            for work in attached:
                if work.note_id not in done:
                    words = failed.words if failed else "success without a result"
                    work.outcome = RetryLater(0, f"note not attached: {words}")
        for work in works:
            if work.outcome is None:
                duplicate = work.action.body.get("kind") == DUPLICATE_OF
                hashes = hashes_of(wishes_of(work, self._connection), work)
                if work.note_id:
                    hashes[NOTE_HASH] = value_hash(note_text(work))
                state = DUPLICATE if duplicate else OPEN
                work.outcome = self._delivered(work, hashes, state=state, contact_id=work.contact_id)

    def _is_new_story(self, work: Work) -> bool:
        return work.row is None or work.row.fields.get(NOTE_HASH) != value_hash(note_text(work))

    def _once(
        self, call: Callable[[Sequence[Work], str], Call], tenant: str, key_property: str
    ) -> Callable[[Sequence[Work]], Batch]:
        def once(works: Sequence[Work]) -> Batch:
            answer = self._send(call(works, tenant))
            batch = batch_of(answer, [work.action.action_id for work in works], key_property=key_property)
            if batch.whole is not None and names_unknown_property(batch.whole):
                self._directory.forget()
                raise StoppedError(Pause(0, f"a property was removed in {CRM}, {batch.whole.words}"))
            return batch

        return once

    def _names(self, works: Iterable[Work]) -> list[str]:
        names = {KEY, REVISION, OWNER}
        for work in works:
            names |= wishes_of(work, self._connection).keys()
        return sorted(names & self._properties.keys())

    def _delivered(self, work: Work, hashes: dict[str, str], *, state: str, contact_id: str) -> Delivered:
        row = LedgerRow(
            sink=self._connection.name,
            tenant=work.action.tenant,
            action_id=work.action.action_id,
            profile_id=work.action.profile_id,
            object=CONTACT if contact_id else "",
            object_id=contact_id,
            revision=work.action.revision,
            state=state,
            note_id=work.note_id or (work.row.note_id if work.row else ""),
            fields=hashes or (work.row.fields if work.row else {}),
            written_ms=self._clock(),
        )
        return Delivered(CONTACT if contact_id else "", contact_id, row, work.remark)


def _one_per_contact(works: Iterable[Work]) -> list[Work]:
    """Returns works that write different contacts: HubSpot refuses a batch that has one twice."""
    taken: set[str] = set()
    result = []
    for work in works:
        if not work.contact_id or work.contact_id not in taken:
            result.append(work)
            taken.add(work.contact_id)
    return result
