"""Salesforce's leads, contacts and tasks. Implements :class:`~connectors.crm.gateway.Gateway`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from connectors.crm.directory import DirectoryGateway
from connectors.crm.exchange import Call, Send
from connectors.crm.fault import StoppedError
from connectors.crm.gateway import Missing
from connectors.crm.notes import plain_story, write_notes
from connectors.crm.salesforce.answers import CRM, batch_of, checked, names_unknown_field, rows_of
from connectors.crm.salesforce.calls import CONTACT, LEAD, MAX_QUERY_IDS, NAMES, Calls, subject_of
from connectors.crm.salesforce.directory import Directory
from connectors.crm.salesforce.fields import Fields
from connectors.crm.sink import Pause
from connectors.crm.split import Batch, Failed, Result, Splitter
from connectors.crm.typed import text_of
from connectors.crm.work import Held, Work, with_owners
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

Item = TypeVar("Item")


class SalesforceGateway(DirectoryGateway[Directory]):
    """One Salesforce org."""

    crm, home, batch, names = CRM, LEAD, 200, NAMES
    objects: Sequence[str] = (CONTACT, LEAD)
    test_values: Mapping[str, str] = {"LastName": "Stitchline set-up test", "Company": "Stitchline"}
    conversion_leaves = ""

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._send = send
        self._calls = Calls(connection)
        self._directory = Directory(connection, self._calls, send, clock)
        self._fields = Fields(self._calls, self._directory, send, connection.sync)
        self._splitter = Splitter()

    def read(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> dict[str, Held]:
        """Returns id → object; a converted lead as moved to its contact."""
        rows = self._rows(self._calls.retrieve(object_type, ids, names, tenant))
        return {held.id: held for row in rows if (held := self._held(object_type, row)).id}

    def find(self, keys: Sequence[str], tenant: str) -> dict[str, str]:
        """Returns action id → lead id, also of converted leads."""
        found: dict[str, str] = {}
        for start in range(0, len(keys), MAX_QUERY_IDS):
            rows = rows_of(self._send(self._calls.find(keys[start : start + MAX_QUERY_IDS], tenant)))
            found |= {str(row.get(NAMES.action)): str(row.get("Id")) for row in rows}
        return found

    def follow(self, object_type: str, object_id: str, names: Sequence[str], tenant: str) -> Held | Failed | None:
        """Returns the survivor of a merge as moved to; None for a deleted object."""
        del names
        rows = rows_of(self._send(self._calls.master_of(object_type, object_id, tenant)))
        master = next((str(row["MasterRecordId"]) for row in rows if row.get("MasterRecordId")), "")
        return Held(object_type, object_id, moved_to=(object_type, master)) if master else None

    def update(self, object_type: str, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes existing objects and reads their owners back."""
        kinds = self.fields(object_type)
        results = self._write(works, lambda part: self._calls.update(object_type, part, kinds, tenant))
        return self._with_owners(object_type, works, results, tenant)

    def upsert(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Creates leads under their action ids and reads their owners back."""
        kinds = self.fields(LEAD)
        results = self._write(works, lambda part: self._calls.upsert(part, kinds, tenant))
        return self._with_owners(LEAD, works, results, tenant)

    def note_text(self, work: Work) -> str:
        """Returns the story as plain text."""
        return plain_story(work)

    def write_notes(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes the stories as completed tasks: those that the ledger or Salesforce knows again, others new."""
        known = {work.action.action_id: work.former_note for work in works if work.former_note}
        unsure = [work for work in works if not work.is_new and not work.former_note]
        for start in range(0, len(unsure), MAX_QUERY_IDS):
            part = unsure[start : start + MAX_QUERY_IDS]
            tasks = {
                (str(row.get("WhoId")), str(row.get("Subject"))): str(row.get("Id"))
                for row in rows_of(self._send(self._calls.find_notes(part, tenant)))
            }
            for work in part:
                if task := tasks.get((work.object_id, subject_of(work))):
                    known[work.action.action_id] = task
        return write_notes(works, known, self._calls, self._write, tenant)

    def delete(self, object_type: str, object_id: str) -> Failed | None:
        """Moves an object to the recycle bin."""
        return checked(self._send(self._calls.delete(object_type, object_id)))

    def missing(self) -> Iterator[Missing]:
        """Yields custom fields, and the permission set that makes them visible."""
        return self._fields.missing()

    def _write(self, items: Sequence[Item], call: Callable[[Sequence[Item]], Call]) -> list[Result]:
        def once(part: Sequence[Item]) -> Batch:
            batch = batch_of(self._send(call(part)), len(part))
            failures = [one for one in (batch.whole, *batch.results) if isinstance(one, Failed)]
            if gone := next((one for one in failures if names_unknown_field(one)), None):
                self._directory.forget()
                raise StoppedError(Pause(0, f"a field was removed in {CRM}, {gone.words}"))
            if any("INACTIVE_OWNER_OR_USER" in one.words for one in failures):
                self._directory.forget()
            return batch

        return self._splitter.write(items, once)

    def _with_owners(self, object_type: str, works: Sequence[Work], results: list[Result], tenant: str) -> list[Result]:
        def read(ids: Sequence[str]) -> dict[str, str | None]:
            rows = rows_of(self._send(self._calls.retrieve(object_type, ids, [NAMES.owner], tenant)))
            return {str(row.get("Id")): str(row.get(NAMES.owner) or "") for row in rows}

        return with_owners(works, results, NAMES.owner, read)

    def _rows(self, call: Call) -> list[dict[str, Any]]:
        answer = self._send(call)
        if answer.status == 400:  # a field that was removed, perhaps
            self._directory.forget()
        return rows_of(answer)

    def _held(self, object_type: str, row: Mapping[str, Any]) -> Held:
        kinds, name = self.fields(object_type), str(row.get("Id") or "")
        moved = (CONTACT, str(row.get("ConvertedContactId") or "")) if row.get("IsConverted") is True else None
        values = {field: text_of(value, kinds[field]) for field, value in row.items() if field in kinds}
        return Held(object_type, name, values, moved)
