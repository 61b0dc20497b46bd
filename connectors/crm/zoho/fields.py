"""The custom fields that the sink needs in Zoho, and the requests that create those that are missing."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from connectors.crm.exchange import Send
from connectors.crm.gateway import Missing
from connectors.crm.split import Failed, Written
from connectors.crm.work import kind_of
from connectors.crm.zoho.answers import batch_of
from connectors.crm.zoho.calls import CONTACTS, LEADS, Calls, field_name, label
from connectors.crm.zoho.directory import Directory
from pipeline.rules.crm_sync import CrmSync

_TEXT: Final[Mapping[str, Any]] = {"data_type": "text", "length": 255}
FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "action": {"data_type": "text", "length": 64},
    "profile": {"data_type": "text", "length": 64},
    "revision": {"data_type": "integer", "length": 9},
    "score": {"data_type": "double", "length": 16, "decimal_place": 2},
    "grade": _TEXT,
    "reason": {"data_type": "textarea", "textarea": {"type": "small"}},
    "segment": _TEXT,
    "trigger": _TEXT,
    "last_touch": {"data_type": "datetime"},
}
"""Our fields and their definitions."""
SYNCED: Final[Mapping[str, Mapping[str, Any]]] = {
    "boolean": {"data_type": "boolean"},
    "number": {"data_type": "double", "length": 16, "decimal_place": 2},
    "text": _TEXT,
}
"""Kind of a field that follows profiles → definition of the field that is created."""
_KEY: Final = {"unique": {"casesensitive": False}}
"""Of the action id on leads; two leads may become one contact."""


def missing_fields(calls: Calls, directory: Directory, send: Send, sync: CrmSync) -> Iterator[Missing]:
    """Yields the fields that are missing, and those of another type.

    Raises:
        StoppedError: Zoho is not available now.
        SinkError: A right is missing.
    """

    def create(module: str, definition: Mapping[str, Any]) -> str:
        batch = batch_of(send(calls.create_field(module, definition)), 1, key="fields")
        result = batch.whole or batch.results[0]
        if isinstance(result, Written):
            return ""
        return result.words if isinstance(result, Failed) else "no result"

    for module in (LEADS, CONTACTS):
        described = {str(one.get("api_name")): one for one in directory.described(module)}
        for ours, definition in FIELDS.items():
            name, found = field_name(ours), described.get(field_name(ours))
            is_key = (module, ours) == (LEADS, "action")
            if found is None:
                wanted = {"field_label": label(ours), **definition, **(_KEY if is_key else {})}
                yield Missing(f"missing: field {name} of {module}", partial(create, module, wanted))
            elif found.get("data_type") != definition["data_type"]:
                kind = f"{found.get('data_type')}, not {definition['data_type']}"
                yield Missing(f"field {name} of {module} has type {kind}: delete or rename it", None)
            elif is_key and not found.get("unique"):
                yield Missing(f"field {name} of {module} is not unique: do not allow duplicate values", None)
        for name, field in sync.of(kind_of(module)).items():
            if name not in described:
                wanted = {"field_label": name.replace("_", " "), **SYNCED[field.kind]}
                yield Missing(f"missing: field {name} of {module}", partial(create, module, wanted))
