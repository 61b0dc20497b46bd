"""Requests to the Dataverse Web API. Pure.

Leads and notes have ids of our own, derived from the action id: writing one again updates it, without an alternate key.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from connectors.crm.dynamics.multipart import batch_call
from connectors.crm.exchange import Call
from connectors.crm.typed import json_value
from connectors.crm.work import Work
from pipeline.rules.crm import CrmConnection

LEAD, CONTACT, NOTE = "lead", "contact", "annotation"
SETS: Final = {LEAD: "leads", CONTACT: "contacts", NOTE: "annotations"}
IDS: Final = {LEAD: "leadid", CONTACT: "contactid", NOTE: "annotationid"}
OWNER: Final = "ownerid"
OWNER_READ: Final = "_ownerid_value"
MOVED: Final[Mapping[str, tuple[str, ...]]] = {
    LEAD: ("statecode", "merged", "_masterid_value", "_parentcontactid_value"),
    CONTACT: ("merged", "_masterid_value"),
}
"""Columns that state a qualification or a merge."""
NAMESPACE: Final = UUID("6f3a5d0e-9d0b-5f6e-8d3c-0f6a3b5c7e21")
_REPRESENTATION: Final = "return=representation"


class Columns(NamedTuple):
    """What a row is written with."""

    kinds: Mapping[str, str]
    """Column → kind."""
    teams: Collection[str]
    """The owners that are teams; all others are users."""


def lead_id(tenant: str, action_id: str) -> str:
    """Returns the id of the lead of an action."""
    return str(uuid5(NAMESPACE, f"lead/{tenant}/{action_id}"))


def note_id(work: Work) -> str:
    """Returns the id of an action's note on an object: a qualified lead keeps its note, the contact gets its own."""
    return str(uuid5(NAMESPACE, f"note/{work.action.tenant}/{work.action.action_id}/{work.object_id}"))


class Calls:
    """The requests of one connection."""

    def __init__(self, connection: CrmConnection) -> None:
        self._base = f"/api/data/{connection.version}"
        # Off by default in the API; with detection, a lead that matches another one is refused with 412.
        self._detect = {"MSCRM.SuppressDuplicateDetection": "false"} if connection.existing == "review" else {}

    def read(self, object_type: str, ids: Sequence[str], names: Sequence[str], tenant: str) -> Call:
        """Returns the request for rows by id, at most 100."""
        columns = {OWNER_READ if name == OWNER else name for name in names}
        selected = ",".join(sorted({IDS[object_type], *columns, *MOVED[object_type]}))
        path = f"/{SETS[object_type]}?$select={selected}&$filter={_in(IDS[object_type], ids)}"
        return self._get(path, tenant)

    def ids_of(self, table: str, column: str, ids: Collection[str], more: str = "") -> Call:
        """Returns the request for the ids of a table's rows that exist. ``more`` is a further condition."""
        return self._get(f"/{table}?$select={column}&$filter={_in(column, sorted(ids))}{more}")

    def of_profiles(self, column: str, profiles: Sequence[str], tenant: str) -> Call:
        """Returns the request for the open leads of customers, by the column that holds their profile ids."""
        path = f"/leads?$select=leadid,{column}&$filter={_in(column, profiles)} and statecode eq 0"
        return self._get(path, tenant)

    def contact_of(self, lead: str, tenant: str) -> Call:
        """Returns the request for the contact that the qualification of a lead created."""
        return self._get(f"/contacts?$select=contactid&$filter=_originatingleadid_value eq {lead}", tenant)

    def upsert(self, works: Sequence[Work], columns: Columns, tenant: str) -> Call:
        """Returns the batch that creates or updates leads under their own ids."""
        ids = [lead_id(tenant, one.action.action_id) for one in works]
        return self._write(LEAD, works, ids, columns, tenant=tenant, headers={})

    def update(self, object_type: str, works: Sequence[Work], columns: Columns, tenant: str) -> Call:
        """Returns the batch that updates existing rows; one that was deleted is not created again."""
        ids = [work.object_id for work in works]
        return self._write(object_type, works, ids, columns, tenant=tenant, headers={"If-Match": "*"})

    def write_notes(self, works: Sequence[Work], texts: Sequence[str], tenant: str) -> Call:
        """Returns the batch that creates or updates notes under their own ids."""
        parts = [
            Call(
                method="PATCH",
                path=f"/annotations({note_id(work)})?$select=annotationid",
                headers={"Prefer": _REPRESENTATION},
                body={
                    "subject": "Stitchline lead",
                    "notetext": text,
                    f"objectid_{work.object}@odata.bind": f"/{SETS[work.object]}({work.object_id})",
                },
            )
            for work, text in zip(works, texts, strict=True)
        ]
        return batch_call(self._base, parts, tenant)

    def delete(self, object_type: str, name: str) -> Call:
        """Returns the request that deletes a row."""
        return Call(method="DELETE", path=f"{self._base}/{SETS[object_type]}({name})")

    def columns(self, object_type: str) -> Call:
        """Returns the request for the columns of a table."""
        selected = "LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate"
        return self._get(f"/EntityDefinitions(LogicalName='{object_type}')/Attributes?$select={selected}")

    def create_column(self, object_type: str, definition: Mapping[str, Any]) -> Call:
        """Returns the request that creates a column."""
        path = f"{self._base}/EntityDefinitions(LogicalName='{object_type}')/Attributes"
        return Call(method="POST", path=path, body=definition)

    def language(self) -> Call:
        """Returns the request for the organisation's base language, which labels must be in."""
        return self._get("/organizations?$select=languagecode")

    def publish(self) -> Call:
        """Returns the request that publishes the columns, so that forms and views can show them."""
        entities = "".join(f"<entity>{name}</entity>" for name in (LEAD, CONTACT))
        xml = f"<importexportxml><entities>{entities}</entities></importexportxml>"
        return Call(method="POST", path=f"{self._base}/PublishXml", body={"ParameterXml": xml})

    def _write(
        self,
        object_type: str,
        works: Sequence[Work],
        ids: Sequence[str],
        columns: Columns,
        *,
        tenant: str,
        headers: Mapping[str, str],
    ) -> Call:
        selected = f"{IDS[object_type]},{OWNER_READ}"
        parts = [
            Call(
                method="PATCH",
                path=f"/{SETS[object_type]}({name})?$select={selected}",
                headers={"Prefer": _REPRESENTATION, **self._detect, **headers},
                body=dict(_value(field, text, columns) for field, text in work.sent.items()),
            )
            for work, name in zip(works, ids, strict=True)
        ]
        return batch_call(self._base, parts, tenant)

    def _get(self, path: str, tenant: str = "") -> Call:
        return Call(method="GET", path=f"{self._base}{path}".replace(" ", "%20"), tenant=tenant)


def _in(column: str, ids: Sequence[str]) -> str:
    values = ",".join(f"'{name}'" for name in ids)
    return f"Microsoft.Dynamics.CRM.In(PropertyName='{column}',PropertyValues=[{values}])"


def _value(field: str, text: str, columns: Columns) -> tuple[str, Any]:
    if field == OWNER:
        return "ownerid@odata.bind", f"/{'teams' if text in columns.teams else 'systemusers'}({text})"
    return field, json_value(text, columns.kinds.get(field, ""))
