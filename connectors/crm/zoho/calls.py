"""Requests to Zoho CRM. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.crm.exchange import Call
from connectors.crm.typed import DATETIME, json_value
from connectors.crm.work import Work, names_of
from pipeline.rules.crm import CrmConnection

LEADS, CONTACTS = "Leads", "Contacts"
MAX_FIELDS: Final = 50
"""Fields in one read, Zoho's limit."""
MAX_KEYS: Final = 50
"""Values in the list of a COQL condition, Zoho's limit."""
CONVERTED, CONVERTED_CONTACT = "Converted__s", "Converted_Contact"


def field_name(ours: str) -> str:
    """Returns the API name that Zoho derives from the label of one of our fields.

    >>> field_name("last_touch"), label("last_touch")
    ('Stitchline_Last_Touch', 'Stitchline Last Touch')
    """
    return label(ours).replace(" ", "_")


def label(ours: str) -> str:
    """Returns the label of one of our fields."""
    return f"Stitchline {ours.replace('_', ' ').title()}"


NAMES: Final = names_of("Owner", field_name)


class Calls:
    """The requests of one connection. Ids are digits and action ids hexadecimal, so they need no escaping."""

    def __init__(self, connection: CrmConnection) -> None:
        self._base = f"/crm/{connection.version}"

    def read(self, module: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> Call:
        """Returns the request for records by id, at most 100 ids and ``MAX_FIELDS`` names, also converted ones."""
        path = f"/{module}?ids={','.join(ids)}&fields={','.join(names)}&converted=both"
        return self._get(path, tenant)

    def read_one(self, module: str, name: str, tenant: str) -> Call:
        """Returns the request for one record with the details of its conversion."""
        return self._get(f"/{module}/{name}?converted=both", tenant)

    def find(self, keys: Sequence[str], tenant: str) -> Call:
        """Returns the request for the leads of action ids, at most ``MAX_KEYS``. A search would lag behind writes."""
        listed = ",".join(f"'{key}'" for key in keys)
        query = f"select id, {NAMES.action} from {LEADS} where {NAMES.action} in ({listed}) limit 200"  # noqa: S608
        return self._post("/coql", {"select_query": query}, tenant)

    def upsert(self, works: Sequence[Work], kinds: Mapping[str, str], tenant: str) -> Call:
        """Returns the request that creates or updates leads by action id, at most 100."""
        data = [{**_values(work, kinds), NAMES.action: work.action.action_id} for work in works]
        # Without the list, Zoho finds leads by e-mail address; without the empty trigger, it runs workflows.
        return self._post(f"/{LEADS}/upsert", {**_data(data), "duplicate_check_fields": [NAMES.action]}, tenant)

    def update(self, module: str, works: Sequence[Work], kinds: Mapping[str, str], tenant: str) -> Call:
        """Returns the request that updates records by id, at most 100 different ones."""
        data = [{"id": work.object_id, **_values(work, kinds)} for work in works]
        return Call(method="PUT", path=f"{self._base}/{module}", body=_data(data), tenant=tenant)

    def notes_of(self, work: Work, tenant: str) -> Call:
        """Returns the request for the notes of one record."""
        return self._get(f"/{work.object}/{work.object_id}/Notes?fields=id,Note_Title", tenant)

    def create_notes(self, works: Sequence[Work], texts: Sequence[str], tenant: str) -> Call:
        """Returns the request that creates notes, at most 100."""
        data = [
            {
                "Note_Title": title_of(work),
                "Note_Content": text,
                "Parent_Id": {"id": work.object_id, "module": {"api_name": work.object}},
            }
            for work, text in zip(works, texts, strict=True)
        ]
        return self._post("/Notes", _data(data), tenant)

    def update_notes(self, ids: Sequence[str], texts: Sequence[str], tenant: str) -> Call:
        """Returns the request that replaces the texts of notes, at most 100."""
        data = [{"id": name, "Note_Content": text} for name, text in zip(ids, texts, strict=True)]
        return Call(method="PUT", path=f"{self._base}/Notes", body=_data(data), tenant=tenant)

    def delete(self, module: str, name: str) -> Call:
        """Returns the request that moves a record to the recycle bin."""
        return Call(method="DELETE", path=f"{self._base}/{module}/{name}")

    def fields(self, module: str) -> Call:
        """Returns the request for the fields of a module."""
        return self._get(f"/settings/fields?module={module}")

    def create_field(self, module: str, definition: Mapping[str, Any]) -> Call:
        """Returns the request that creates a custom field."""
        return self._post(f"/settings/fields?module={module}", {"fields": [definition]})

    def users(self, page: int) -> Call:
        """Returns the request for a page of active users."""
        return self._get(f"/users?type=ActiveUsers&page={page}&per_page=200")

    def _get(self, path: str, tenant: str = "") -> Call:
        return Call(method="GET", path=f"{self._base}{path}", tenant=tenant)

    def _post(self, path: str, body: object, tenant: str = "") -> Call:
        return Call(method="POST", path=f"{self._base}{path}", body=body, tenant=tenant)


def title_of(work: Work) -> str:
    """Returns the title of a lead's note. It names the action, so that a repetition finds the note."""
    return f"Stitchline lead {work.action.action_id}"


def _data(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"data": records, "trigger": []}


def _values(work: Work, kinds: Mapping[str, str]) -> dict[str, Any]:
    return {name: _value(name, text, kinds.get(name, "")) for name, text in work.sent.items()}


def _value(name: str, text: str, kind: str) -> Any:
    if name == NAMES.owner:
        return {"id": text}
    # Zoho takes an offset from UTC, not the letter Z.
    return text.replace("Z", "+00:00") if kind == DATETIME and text else json_value(text, kind)
