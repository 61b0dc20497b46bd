"""The custom fields that the sink needs in Salesforce, and the permission set that makes them visible.

A field that the Tooling API creates is invisible to every user until a permission set or a profile grants it.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, Final

from connectors.crm.exchange import Call, Send
from connectors.crm.gateway import Missing
from connectors.crm.salesforce.answers import batch_of, checked, rows_of
from connectors.crm.salesforce.calls import CONTACT, LEAD, Calls, field_name
from connectors.crm.salesforce.directory import Directory
from connectors.crm.split import Failed, Result, Written
from connectors.crm.work import kind_of
from pipeline.rules.crm_sync import CrmSync

PERMISSION_SET: Final = "Stitchline"
_TEXT: Final[Mapping[str, Any]] = {"type": "Text", "length": 255}
FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "action": {"type": "Text", "length": 64},
    "profile": {"type": "Text", "length": 64},
    "revision": {"type": "Number", "precision": 18, "scale": 0},
    "score": {"type": "Number", "precision": 18, "scale": 2},
    "grade": _TEXT,
    "reason": {"type": "LongTextArea", "length": 32_768, "visibleLines": 3},
    "segment": _TEXT,
    "trigger": _TEXT,
    "last_touch": {"type": "DateTime"},
}
"""Our fields and their metadata."""
_KEY: Final = {"externalId": True, "unique": True, "caseSensitive": False}
"""Of the action id on leads: unique, so that no right to view all data is needed. Two leads may become one contact."""
SYNCED: Final[Mapping[str, Mapping[str, Any]]] = {
    "boolean": {"type": "Checkbox", "defaultValue": "false"},
    "number": {"type": "Number", "precision": 18, "scale": 2},
    "text": _TEXT,
}
"""Kind of a field that follows profiles → metadata of the field that is created."""
_DESCRIBED: Final = {
    "Text": "string", "Number": "double", "LongTextArea": "textarea", "DateTime": "datetime",
}  # fmt: skip


class Fields:
    """The set-up of one org.

    Raises (every method):
        StoppedError: Salesforce is not available now.
        SinkError: A right is missing.
    """

    def __init__(self, calls: Calls, directory: Directory, send: Send, sync: CrmSync) -> None:
        self._calls, self._directory, self._send, self._sync = calls, directory, send, sync

    def missing(self) -> Iterator[Missing]:
        """Yields the fields, the permission set, its field permissions and its assignment."""
        existing = self._existing()
        for object_type in (LEAD, CONTACT):
            described = {str(one["name"]): one for one in self._directory.described(object_type)}
            for ours, metadata in FIELDS.items():
                name = field_name(ours)
                if (object_type, name) not in existing and name not in described:
                    yield Missing(f"missing: field {object_type}.{name}", self._creating(object_type, ours))
                elif (found := described.get(name)) is not None:
                    yield from _deviations(object_type, ours, metadata, found)
            yield from self._missing_synced(object_type, existing, described)
        yield from self._permissions()

    def _missing_synced(
        self, object_type: str, existing: Collection[tuple[str, str]], described: Collection[str]
    ) -> Iterator[Missing]:
        """Yields the fields that follow profiles. Only custom fields can be created."""
        for name, field in self._sync.of(kind_of(object_type)).items():
            if name in described or (object_type, name) in existing:
                continue
            if not name.endswith("__c"):
                text = f"missing: field {object_type}.{name}; the name of a custom field ends with __c"
                yield Missing(text, None)
                continue
            metadata = {"label": name.removesuffix("__c").replace("_", " ")[:40], **SYNCED[field.kind]}
            call = self._calls.create_field(f"{object_type}.{name}", metadata)
            yield Missing(f"missing: field {object_type}.{name}", partial(self._create, call))

    def _synced(self) -> list[str]:
        """Returns the custom fields that follow profiles, with their objects."""
        return [
            f"{object_type}.{name}"
            for object_type in (LEAD, CONTACT)
            for name in self._sync.of(kind_of(object_type))
            if name.endswith("__c")
        ]

    def _existing(self) -> set[tuple[str, str]]:
        """Returns object type and name of our fields, also of those that the user cannot see."""
        soql = "SELECT DeveloperName, TableEnumOrId FROM CustomField WHERE DeveloperName LIKE 'Stitchline\\_%'"
        rows = rows_of(self._directory.answer_to(self._calls.tooling_query(soql)))
        if names := sorted({name.partition(".")[2].removesuffix("__c") for name in self._synced()}):
            listed = ", ".join(f"'{name}'" for name in names)
            soql = f"SELECT DeveloperName, TableEnumOrId FROM CustomField WHERE DeveloperName IN ({listed})"  # noqa: S608
            rows += rows_of(self._directory.answer_to(self._calls.tooling_query(soql)))
        return {(str(row.get("TableEnumOrId")), f"{row.get('DeveloperName')}__c") for row in rows}

    def _creating(self, object_type: str, ours: str) -> Any:
        name = field_name(ours)
        metadata = {"label": f"Stitchline {ours.replace('_', ' ')}", **FIELDS[ours]}
        if (object_type, ours) == (LEAD, "action"):
            metadata |= _KEY
        return lambda: self._create(self._calls.create_field(f"{object_type}.{name}", metadata))

    def _permissions(self) -> Iterator[Missing]:
        set_id = self._permission_set()
        if not set_id:
            record = {"Name": PERMISSION_SET, "Label": "Stitchline fields"}
            yield Missing(
                f"missing: permission set {PERMISSION_SET}",
                lambda: self._create(self._calls.create("PermissionSet", [record])),
            )
        granted = self._granted(set_id)
        wanted = [f"{object_type}.{field_name(ours)}" for object_type in (LEAD, CONTACT) for ours in FIELDS]
        wanted += self._synced()
        if ungranted := [name for name in wanted if name not in granted]:
            yield Missing(
                f"missing: field-level security of {len(ungranted)} fields in {PERMISSION_SET}",
                lambda: self._grant(ungranted),
            )
        user = self._user()
        if not user:
            yield Missing(f"assign the permission set {PERMISSION_SET} to the user of the access token", None)
        elif not set_id or not self._is_assigned(set_id, user):
            yield Missing(f"missing: assignment of {PERMISSION_SET} to the user", lambda: self._assign(user))

    def _permission_set(self) -> str:
        rows = self._rows(f"SELECT Id FROM PermissionSet WHERE Name = '{PERMISSION_SET}'")  # noqa: S608  a constant
        return next((str(row.get("Id")) for row in rows), "")

    def _granted(self, set_id: str) -> set[str]:
        if not set_id:
            return set()
        soql = f"SELECT Field FROM FieldPermissions WHERE ParentId = '{set_id}' AND PermissionsEdit = true"  # noqa: S608
        return {str(row.get("Field")) for row in self._rows(soql)}

    def _grant(self, names: list[str]) -> str:
        parent = self._permission_set()
        records = [
            {
                "ParentId": parent, "SobjectType": name.partition(".")[0], "Field": name, "PermissionsRead": True,
                "PermissionsEdit": True,
            }
            for name in names
        ]  # fmt: skip
        return self._create(self._calls.create("FieldPermissions", records), len(records))

    def _assign(self, user: str) -> str:
        record = {"AssigneeId": user, "PermissionSetId": self._permission_set()}
        return self._create(self._calls.create("PermissionSetAssignment", [record]))

    def _user(self) -> str:
        answer = self._send(self._calls.user_info())
        return str(answer.body.get("user_id") or "") if answer.ok and isinstance(answer.body, dict) else ""

    def _is_assigned(self, set_id: str, user: str) -> bool:
        soql = f"SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = '{set_id}' AND AssigneeId = '{user}'"  # noqa: S608
        return bool(self._rows(soql))

    def _rows(self, soql: str) -> list[dict[str, Any]]:
        return rows_of(self._directory.answer_to(self._calls.query(soql)))

    def _create(self, call: Call, count: int = 1) -> str:
        """Returns "" if everything was created, else the first refusal."""
        answer = self._send(call)
        if isinstance(answer.body, list) and answer.ok:
            results = batch_of(answer, count).results
            words = [one.words if isinstance(one, Failed) else "no result" for one in results if not _is_written(one)]
            return words[0] if words else ""
        refused = checked(answer)
        return refused.words if refused else ""


def _is_written(result: Result | None) -> bool:
    return isinstance(result, Written)


def _deviations(
    object_type: str, ours: str, metadata: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[Missing]:
    name, kind = field_name(ours), _DESCRIBED[metadata["type"]]
    if found.get("type") != kind:
        text = f"field {object_type}.{name} has type {found.get('type')}, not {kind}: delete or rename it"
        yield Missing(text, None)
    elif (object_type, ours) == (LEAD, "action") and not (found.get("externalId") and found.get("unique")):
        yield Missing(f"field {object_type}.{name} is not unique and an external id: set both", None)
