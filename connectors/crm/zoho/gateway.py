"""Zoho's leads, contacts and notes. Implements :class:`~connectors.crm.gateway.Gateway`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.crm.directory import DirectoryGateway
from connectors.crm.exchange import Call, Send
from connectors.crm.fault import Fault
from connectors.crm.gateway import Missing
from connectors.crm.notes import plain_story, write_notes
from connectors.crm.split import Batch, Failed, Result, Splitter
from connectors.crm.typed import text_of
from connectors.crm.work import Held, Work, with_owners
from connectors.crm.zoho.answers import (
    CRM,
    batch_of,
    contact_of,
    is_converted,
    names_owner,
    rows_of,
)
from connectors.crm.zoho.calls import CONTACTS, LEADS, MAX_FIELDS, MAX_KEYS, NAMES, Calls, title_of
from connectors.crm.zoho.directory import Directory
from connectors.crm.zoho.fields import missing_fields
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection


class ZohoGateway(DirectoryGateway[Directory]):
    """One organisation of Zoho CRM."""

    crm, home, batch, names = CRM, LEADS, 100, NAMES
    objects: Sequence[str] = (CONTACTS, LEADS)
    test_values: Mapping[str, str] = {"Last_Name": "Stitchline set-up test"}
    conversion_leaves = ""

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._send, self._sync = send, connection.sync
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
        return plain_story(work)

    def write_notes(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes the stories as notes: those that the ledger or Zoho knows again, others new."""
        known = {work.action.action_id: work.former_note for work in works if work.former_note}
        for work in works:
            if not work.is_new and not work.former_note and (note := self._note_of(work, tenant)):
                known[work.action.action_id] = note
        return write_notes(works, known, self._calls, self._write, tenant)

    def delete(self, object_type: str, object_id: str) -> Failed | None:
        """Moves a record to the recycle bin."""
        batch = batch_of(self._send(self._calls.delete(object_type, object_id)), 1)
        result = batch.whole or batch.results[0] or Failed(Fault.NO_RESULT, "success without a result")
        return result if isinstance(result, Failed) else None

    def missing(self) -> Iterator[Missing]:
        """Yields custom fields."""
        return missing_fields(self._calls, self._directory, self._send, self._sync)

    def _note_of(self, work: Work, tenant: str) -> str:
        """Returns the note that was written before an answer was lost; "" without one."""
        rows = rows_of(self._send(self._calls.notes_of(work, tenant)))
        return next((str(row.get("id")) for row in rows if row.get("Note_Title") == title_of(work)), "")

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
        def read(ids: Sequence[str]) -> dict[str, str | None]:
            rows = rows_of(self._send(self._calls.read(module, ids, [NAMES.owner], tenant)))
            return {str(row.get("id")): text_of(row.get(NAMES.owner), "") for row in rows}

        return with_owners(works, results, NAMES.owner, read)

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
