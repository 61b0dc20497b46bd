"""Zoho's leads, contacts and notes. Implements :class:`~connectors.crm.gateway.Gateway`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.crm.directory import DirectoryGateway
from connectors.crm.exchange import Call, Send
from connectors.crm.fault import Fault
from connectors.crm.gateway import Missing
from connectors.crm.split import Batch, Failed, Result, Splitter, Written
from connectors.crm.typed import text_of
from connectors.crm.values import story_lines
from connectors.crm.work import Held, Work
from connectors.crm.zoho.answers import (
    CRM,
    batch_of,
    contact_of,
    is_converted,
    names_owner,
    rows_of,
    written,
)
from connectors.crm.zoho.calls import CONTACTS, LEADS, MAX_FIELDS, MAX_KEYS, NAMES, Calls, title_of
from connectors.crm.zoho.directory import Directory
from connectors.crm.zoho.fields import missing_fields
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection


class ZohoGateway(DirectoryGateway[Directory]):
    """One organisation of Zoho CRM."""

    crm, home, batch, names = CRM, LEADS, 100, NAMES
    test_values: Mapping[str, str] = {"Last_Name": "Stitchline set-up test"}
    conversion_leaves = ""

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._send = send
        self._calls = Calls(connection)
        self._directory = Directory(self._calls, send, clock)
        self._splitter = Splitter()

    def read(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> dict[str, Held]:
        """Returns id → record; a converted lead as moved to its contact."""
        self.fields(object_type)  # so that the fields that state a conversion are known
        wanted = sorted({*names, *(self._directory.conversion if object_type == LEADS else ())})
        rows: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), MAX_FIELDS):
            part = wanted[start : start + MAX_FIELDS]
            for row in rows_of(self._send(self._calls.read(object_type, ids, part, tenant))):
                rows.setdefault(str(row.get("id")), {}).update(row)
        return {name: self._held(object_type, name, row, tenant) for name, row in rows.items()}

    def find(self, keys: Sequence[str], tenant: str) -> dict[str, str]:
        """Returns action id → lead id."""
        found: dict[str, str] = {}
        for start in range(0, len(keys), MAX_KEYS):
            rows = rows_of(self._send(self._calls.find(keys[start : start + MAX_KEYS], tenant)))
            found |= {str(row.get(NAMES.action)): str(row.get("id")) for row in rows}
        return found

    def follow(self, object_type: str, object_id: str, names: Sequence[str], tenant: str) -> Held | Failed | None:
        """Returns None: Zoho does not state whether a missing record was deleted, or merged and into which one."""
        del object_type, object_id, names, tenant
        return None

    def update(self, object_type: str, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes existing records and reads their owners back."""
        kinds = self.fields(object_type)
        results = self._write(works, lambda part: self._calls.update(object_type, part, kinds, tenant))
        return self._with_owners(object_type, works, results, tenant)

    def upsert(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Creates leads under their action ids and reads their owners back."""
        kinds = self.fields(LEADS)
        results = self._write(works, lambda part: self._calls.upsert(part, kinds, tenant))
        return self._with_owners(LEADS, works, results, tenant)

    def note_text(self, work: Work) -> str:
        """Returns the story as plain text."""
        return "\n".join(story_lines(work.action, work.reason, work.owner.reason))

    def write_notes(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes the stories as notes: those that the ledger or Zoho knows again, others new."""
        known = {work.action.action_id: work.former_note for work in works if work.former_note}
        for work in works:
            if not work.is_new and not work.former_note and (note := self._note_of(work, tenant)):
                known[work.action.action_id] = note
        results = self._update_notes([work for work in works if work.action.action_id in known], known, tenant)
        new = [work for work in works if work.action.action_id not in results]
        created = self._write(new, lambda part: self._calls.create_notes(part, self._texts(part), tenant))
        results |= {work.action.action_id: result for work, result in zip(new, created, strict=True)}
        return [results[work.action.action_id] for work in works]

    def delete(self, object_type: str, object_id: str) -> Failed | None:
        """Moves a record to the recycle bin."""
        batch = batch_of(self._send(self._calls.delete(object_type, object_id)), 1)
        result = batch.whole or batch.results[0] or Failed(Fault.NO_RESULT, "success without a result")
        return result if isinstance(result, Failed) else None

    def missing(self) -> Iterator[Missing]:
        """Yields custom fields."""
        return missing_fields(self._calls, self._directory, self._send)

    def _note_of(self, work: Work, tenant: str) -> str:
        """Returns the note that was written before an answer was lost; "" without one."""
        rows = rows_of(self._send(self._calls.notes_of(work, tenant)))
        return next((str(row.get("id")) for row in rows if row.get("Note_Title") == title_of(work)), "")

    def _update_notes(self, works: Sequence[Work], known: Mapping[str, str], tenant: str) -> dict[str, Result]:
        """Returns action id → result. Omits notes that were deleted, so that they are created again."""

        def update(part: Sequence[Work]) -> Call:
            return self._calls.update_notes([known[one.action.action_id] for one in part], self._texts(part), tenant)

        results = zip(works, self._write(works, update), strict=True)
        return {
            work.action.action_id: result
            for work, result in results
            if isinstance(result, Written) or result.fault is not Fault.GONE
        }

    def _texts(self, works: Sequence[Work]) -> list[str]:
        return [self.note_text(work) for work in works]

    def _write(self, works: Sequence[Work], call: Callable[[Sequence[Work]], Call]) -> list[Result]:
        def once(part: Sequence[Work]) -> Batch:
            return batch_of(self._send(call(part)), len(part))

        return [self._again_if_owner(one) for one in self._splitter.write(works, once)]

    def _again_if_owner(self, result: Result) -> Result:
        """An owner that became inactive is tried again with users that are read again: the fallback takes over."""
        if isinstance(result, Failed) and names_owner(result):
            self._directory.forget()
            return msgspec.structs.replace(result, fault=Fault.TRY_AGAIN)
        return result

    def _with_owners(self, module: str, works: Sequence[Work], results: list[Result], tenant: str) -> list[Result]:
        """Adds the owners that Zoho holds: an assignment rule may replace one without any error."""
        owned = written([one for work, one in zip(works, results, strict=True) if NAMES.owner in work.sent])
        if not owned:
            return results
        rows = rows_of(self._send(self._calls.read(module, owned, [NAMES.owner], tenant)))
        owners = {str(row.get("id")): text_of(row.get(NAMES.owner), "") for row in rows}
        return [
            msgspec.structs.replace(one, properties={NAMES.owner: owners.get(one.id)})
            if isinstance(one, Written)
            else one
            for one in results
        ]

    def _held(self, module: str, name: str, row: Mapping[str, Any], tenant: str) -> Held:
        kinds = self.fields(module)
        values = {field: text_of(value, kinds[field]) for field, value in row.items() if field in kinds}
        if not (module == LEADS and is_converted(row)):
            return Held(module, name, values)
        contact = contact_of(row)
        if not contact:  # a list may omit the details that the read of one record has
            details = rows_of(self._send(self._calls.read_one(module, name, tenant)))
            contact = next((contact_of(one) for one in details), "")
        return Held(module, name, values, (CONTACTS, contact))
