"""BottleCRM's leads, contacts and comments. Implements :class:`~connectors.crm.gateway.Gateway`.

BottleCRM has no upsert: a lead is searched by its action id and created if there is none. Its only unique field is the
e-mail address. A converted lead is hidden from every search, but readable by its id: the ledger has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from connectors.crm.bottlecrm.answers import CRM, OWNER, checked, object_of, values_of
from connectors.crm.bottlecrm.fields import CONTACT, LEAD, NAMES, STANDARD, Directory
from connectors.crm.directory import DirectoryGateway
from connectors.crm.exchange import Answer, Call, Send, dicts_in
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.gateway import Missing
from connectors.crm.notes import plain_story
from connectors.crm.sink import Pause
from connectors.crm.split import Batch, Failed, Result, Splitter, Written
from connectors.crm.typed import json_value
from connectors.crm.work import Held, Work
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

PATHS: Final = {LEAD: "/api/leads/", CONTACT: "/api/contacts/"}
DETAIL: Final = {LEAD: "lead_obj", CONTACT: "contact_obj"}
PAGE: Final = 100


class BottleCrmGateway(DirectoryGateway[Directory]):
    """One organisation."""

    crm, home, batch, names = CRM, LEAD, 20, NAMES
    objects: Sequence[str] = (CONTACT, LEAD)
    test_values: Mapping[str, str] = {"first_name": "Stitchline", "last_name": "set-up test"}
    conversion_leaves = "the lead, contact, account and opportunity of its conversion"

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._send = send
        self._directory = Directory(send, clock, connection.sync)
        self._splitter = Splitter()

    def read(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> dict[str, Held]:
        """Returns id → object; a converted lead as moved to its contact."""
        found: dict[str, Held] = {}
        for name in ids:
            answer = self._get(f"{PATHS[object_type]}{quote(name)}/", tenant)
            failed = checked(answer)
            if failed is not None and failed.fault is not Fault.GONE:
                raise StoppedError(Pause(0, f"{CRM} gave no usable answer, {failed.words}"))
            if row := object_of(answer, DETAIL[object_type]):
                found[name] = self._held(object_type, row, names, tenant)
        return found

    def find(self, keys: Sequence[str], tenant: str) -> dict[str, str]:
        """Returns action id → lead id. Converted leads are not found."""
        found: dict[str, str] = {}
        for key in keys:
            for row in self._leads(f"cf_{NAMES.action}={quote(key)}", tenant):
                found[key] = str(row["id"])
        return found

    def follow(self, object_type: str, object_id: str, names: Sequence[str], tenant: str) -> Held | Failed | None:
        """Returns None: BottleCRM deletes the loser of a merge and does not name the survivor."""
        del object_type, object_id, names, tenant
        return None

    def update(self, object_type: str, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes existing objects one by one and reads their owners back."""
        return [self._written(work, self._update(object_type, work, tenant), object_type, tenant) for work in works]

    def upsert(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Searches and then writes or creates leads, one by one, and reads their owners back."""
        return [self._written(work, self._upsert(work, tenant), LEAD, tenant) for work in works]

    def note_text(self, work: Work) -> str:
        """Returns the story as plain text."""
        return plain_story(work)

    def write_notes(self, works: Sequence[Work], tenant: str) -> list[Result]:
        """Writes the stories as comments: changes the one that the ledger knows, or adds one."""
        return [self._comment(work, tenant) for work in works]

    def delete(self, object_type: str, object_id: str) -> Failed | None:
        """Deletes an object after its comments, which BottleCRM would keep."""
        path = f"{PATHS[object_type]}{quote(object_id)}/"
        answer = self._get(path, "")
        comments = answer.body.get("comments") if isinstance(answer.body, dict) else None
        for name in [quote(str(one.get("id"))) for one in dicts_in(comments)]:
            failed = checked(self._send(Call(method="DELETE", path=f"{PATHS[object_type]}comment/{name}/")))
            if failed is not None and failed.fault is not Fault.GONE:
                return failed
        return checked(self._send(Call(method="DELETE", path=path)))

    def missing(self) -> Iterator[Missing]:
        """Yields custom fields."""
        return self._directory.missing()

    def _update(self, object_type: str, work: Work, tenant: str) -> Result:
        path = f"{PATHS[object_type]}{quote(work.object_id)}/"
        return self._single(work, Call(method="PATCH", path=path, body=self._body(object_type, work), tenant=tenant))

    def _upsert(self, work: Work, tenant: str) -> Result:
        key = work.action.action_id
        if found := self.find([key], tenant).get(key):
            return self._update(LEAD, msgspec.structs.replace(work, object_id=found), tenant)
        return self._create(work, tenant)

    def _create(self, work: Work, tenant: str) -> Result:
        sent = {**work.sent, NAMES.action: work.action.action_id}
        body = self._body(LEAD, msgspec.structs.replace(work, sent=sent))
        result = self._single(work, Call(method="POST", path=PATHS[LEAD], body=body, tenant=tenant))
        if isinstance(result, Failed) and result.fault is Fault.CONFLICT:
            return self._existing(work, result, tenant)
        return result

    def _single(self, work: Work, call: Call) -> Result:
        """Writes one object. Several server errors in a row are an outage."""

        def once(_: Sequence[Work]) -> Batch:
            answer = self._send(call)
            if failed := checked(answer):
                return Batch(whole=failed)
            created = answer.body.get("id") if isinstance(answer.body, dict) else None
            name = str(created or work.object_id)
            return Batch(results=[Written(name, is_new=bool(created)) if name else None])

        return self._splitter.write([work], once)[0]

    def _existing(self, work: Work, refused: Failed, tenant: str) -> Failed:
        """Returns a conflict with the record that has the e-mail address: a lead, or the contact of a converted one."""
        email = work.sent.get("email", "")
        for row in self._leads(f"email={quote(email)}", tenant):
            if str(row.get("email") or "").lower() == email.lower():
                own = (row.get("custom_fields") or {}).get(NAMES.action) == work.action.action_id
                return msgspec.structs.replace(refused, existing_id=str(row["id"]), is_own=own)
        contact = self._contact_with(email, tenant)
        return msgspec.structs.replace(refused, existing_id=contact, existing_type=CONTACT)

    def _written(self, work: Work, result: Result, object_type: str, tenant: str) -> Result:
        """Adds the owner that BottleCRM holds."""
        if isinstance(result, Failed) or OWNER not in work.sent:
            return result
        held = self.read(object_type, [result.id], [OWNER], tenant).get(result.id)
        return msgspec.structs.replace(result, properties=held.values) if held else result

    def _body(self, object_type: str, work: Work) -> dict[str, Any]:
        kinds = self.fields(object_type)
        values = {name: json_value(text, kinds.get(name, "")) for name, text in work.sent.items()}
        body = {name: value or "" for name, value in values.items() if name in STANDARD[object_type]}
        if OWNER in body:
            body[OWNER] = [body[OWNER]]
        if custom := {name: value for name, value in values.items() if name not in body}:
            body["custom_fields"] = custom
        return body

    def _comment(self, work: Work, tenant: str) -> Result:
        text, base = self.note_text(work), PATHS[work.object]
        if work.former_note:
            path = f"{base}comment/{quote(work.former_note)}/"
            failed = checked(self._send(Call(method="PATCH", path=path, body={"comment": text}, tenant=tenant)))
            if failed is None:
                return Written(work.former_note)
            if failed.fault is not Fault.GONE:  # a conversion moves the comments of a lead to its account
                return failed
        path = f"{base}{quote(work.object_id)}/"
        if not work.is_new and (note := _note_in(self._get(path, tenant), text)):
            return Written(note)
        answer = self._send(Call(method="POST", path=path, body={"comment": text}, tenant=tenant))
        return checked(answer) or Written(_note_in(answer, text))

    def _leads(self, query: str, tenant: str) -> Iterator[dict[str, Any]]:
        body = self._list(f"{PATHS[LEAD]}?limit={PAGE}&{query}", tenant)
        for state in ("open_leads", "close_leads"):
            rows = body.get(state)
            yield from dicts_in(rows.get(state)) if isinstance(rows, dict) else ()

    def _contact_with(self, email: str, tenant: str) -> str:
        """Returns the id of the contact with an e-mail address, which is unique; "" without one."""
        if not email:
            return ""
        rows = dicts_in(self._list(f"{PATHS[CONTACT]}?limit={PAGE}&email={quote(email)}", tenant).get("results"))
        return next((str(row["id"]) for row in rows if str(row.get("email") or "").lower() == email.lower()), "")

    def _list(self, path: str, tenant: str) -> dict[str, Any]:
        answer = self._get(path, tenant)
        failed = checked(answer)
        if failed is not None or not isinstance(answer.body, dict):
            raise StoppedError(Pause(0, f"{CRM} gave no usable answer, {answer.words()}"))
        return answer.body

    def _get(self, path: str, tenant: str) -> Answer:
        return self._send(Call(method="GET", path=path, tenant=tenant))

    def _held(self, object_type: str, row: Mapping[str, Any], names: Sequence[str], tenant: str) -> Held:
        kinds = self.fields(object_type)
        values = values_of(row, {name: kinds[name] for name in names if name in kinds})
        if object_type == LEAD and row.get("status") == "converted":
            contact = self._contact_with(str(row.get("email") or ""), tenant)
            return Held(LEAD, str(row["id"]), values, (CONTACT, contact))
        return Held(object_type, str(row["id"]), values)


def _note_in(answer: Answer, text: str) -> str:
    """Returns the id of the comment with a text; "" without one."""
    comments = answer.body.get("comments") if isinstance(answer.body, dict) else None
    return next((str(one.get("id")) for one in dicts_in(comments) if one.get("comment") == text), "")
