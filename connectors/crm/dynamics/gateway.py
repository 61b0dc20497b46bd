"""Dynamics' leads, contacts and notes. Implements :class:`~connectors.crm.gateway.Gateway`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.crm.directory import DirectoryGateway
from connectors.crm.dynamics.answers import (
    CRM,
    batch_of,
    checked,
    moved_to,
    names_disabled_owner,
    names_unknown_column,
    rows_of,
)
from connectors.crm.dynamics.calls import CONTACT, IDS, LEAD, NOTE, OWNER, OWNER_READ, Calls, Columns, lead_id
from connectors.crm.dynamics.columns import missing_columns
from connectors.crm.dynamics.directory import Directory
from connectors.crm.exchange import Call, Send
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.gateway import Missing
from connectors.crm.notes import plain_story
from connectors.crm.sink import Pause
from connectors.crm.split import Batch, Failed, Result, Splitter
from connectors.crm.typed import text_of
from connectors.crm.work import Held, Work, names_of
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection


class DynamicsGateway(DirectoryGateway[Directory]):
    """One environment of Dynamics 365."""

    crm, home, batch = CRM, LEAD, 100
    objects: Sequence[str] = (CONTACT, LEAD)
    test_values: Mapping[str, str] = {"lastname": "Stitchline set-up test"}
    conversion_leaves = ""

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._send, self._connection = send, connection
        self._form = f"{connection.prefix}_stitchline_{{}}".format
        self.names = names_of(OWNER, self._form)
        self._calls = Calls(connection)
        self._directory = Directory(connection, self._calls, self.names, send, clock)
        self._splitter = Splitter()

    def read(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> dict[str, Held]:
        """Returns id → row; a qualified lead as moved to its contact, a merged row as moved to the survivor."""
        rows = self._rows(self._calls.read(object_type, ids, names, tenant))
        return {str(row.get(IDS[object_type])): self._held(object_type, row, tenant) for row in rows}

    def find(self, keys: Sequence[str], tenant: str) -> dict[str, str]:
        """Returns action id → lead id, also of qualified leads."""
        ids = {lead_id(tenant, key): key for key in keys}
        rows = self._rows(self._calls.read(LEAD, sorted(ids), [], tenant))
        return {ids[name]: name for row in rows if (name := str(row.get(IDS[LEAD]))) in ids}

    def follow(self, object_type: str, object_id: str, names: Sequence[str], tenant: str) -> Held | Failed | None:
        """Returns None: merged and qualified rows stay readable, so a missing one was deleted."""
        del object_type, object_id, names, tenant
        return None

    def update(self, object_type: str, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes existing rows."""
        columns = Columns(self.fields(object_type), self._directory.teams)
        results = self._write(object_type, works, lambda part: self._calls.update(object_type, part, columns, tenant))
        return self._or_moved(object_type, works, results, tenant)

    def upsert(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Creates leads under ids of their actions."""
        columns = Columns(self.fields(LEAD), self._directory.teams)
        open_leads = self._open_leads(works, tenant)
        new = [work for work in works if work.action.profile_id not in open_leads]
        results = iter(self._write(LEAD, new, lambda part: self._calls.upsert(part, columns, tenant)))
        return [
            Failed(Fault.CONFLICT, "the customer has an open lead", held, is_own=True)
            if (held := open_leads.get(work.action.profile_id))
            else next(results)
            for work in works
        ]

    def note_text(self, work: Work) -> str:
        """Returns the story as plain text."""
        return plain_story(work)

    def write_notes(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes the notes under ids of their actions and objects: a repetition updates the note."""

        def call(part: Sequence[Work]) -> Call:
            return self._calls.write_notes(part, [self.note_text(work) for work in part], tenant)

        return self._write(NOTE, works, call)

    def delete(self, object_type: str, object_id: str) -> Failed | None:
        """Deletes a row."""
        return checked(self._send(self._calls.delete(object_type, object_id)))

    def missing(self) -> Iterator[Missing]:
        """Yields columns."""
        return missing_columns(self._calls, self._directory, self._send, self._form, self._connection)

    def _open_leads(self, works: Sequence[Work], tenant: str) -> dict[str, str]:
        """Returns profile id → open lead, for leads that the ledger does not know because a runner was killed."""
        profiles = sorted({work.action.profile_id for work in works} - {""})
        column = self.names.profile
        if not profiles or column not in self.fields(LEAD):
            return {}
        rows = self._rows(self._calls.of_profiles(column, profiles, tenant))
        return {str(row.get(column)): str(row.get(IDS[LEAD])) for row in rows if row.get(IDS[LEAD])}

    def _write(self, object_type: str, works: Sequence[Work], call: Callable[[Sequence[Work]], Call]) -> list[Result]:
        def once(part: Sequence[Work]) -> Batch:
            batch = batch_of(self._send(call(part)), len(part), object_type)
            failures = [one for one in (batch.whole, *batch.results) if isinstance(one, Failed)]
            if gone := next((one for one in failures if names_unknown_column(one)), None):
                self._directory.forget()
                raise StoppedError(Pause(0, f"a column was removed in {CRM}, {gone.words}"))
            if names_disabled_owner(batch.results):
                self._directory.forget()
            return batch

        return self._splitter.write(works, once)

    def _or_moved(self, object_type: str, works: Sequence[Work], results: list[Result], tenant: str) -> list[Result]:
        """A lead that was qualified after it was read is refused like a bad record; it is gone."""
        refused = [
            work.object_id
            for work, one in zip(works, results, strict=True)
            if object_type == LEAD and isinstance(one, Failed) and one.fault is Fault.BAD_RECORD
        ]
        if not refused:
            return results
        held = self.read(object_type, refused, [], tenant)
        moved = {name for name, one in held.items() if one.moved_to is not None}
        return [
            msgspec.structs.replace(one, fault=Fault.GONE)
            if isinstance(one, Failed) and work.object_id in moved
            else one
            for work, one in zip(works, results, strict=True)
        ]

    def _rows(self, call: Call) -> list[dict[str, Any]]:
        answer = self._send(call)
        if answer.status == 400:  # a column that was removed, perhaps
            self._directory.forget()
        return rows_of(answer)

    def _held(self, object_type: str, row: Mapping[str, Any], tenant: str) -> Held:
        kinds, name = self.fields(object_type), str(row.get(IDS[object_type]))
        values = {field: text_of(value, kinds[field]) for field, value in row.items() if field in kinds}
        values[OWNER] = text_of(row.get(OWNER_READ), "")
        moved = moved_to(object_type, row)
        if moved == (CONTACT, ""):
            found = self._rows(self._calls.contact_of(name, tenant))
            contact = str(found[0].get(IDS[CONTACT])) if len(found) == 1 else row.get("_parentcontactid_value")
            moved = CONTACT, str(contact or "")
        return Held(object_type, name, values, moved)
