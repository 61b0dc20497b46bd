"""The columns that the sink needs in Dynamics, and the requests that create those that are missing."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from connectors.crm.dynamics.answers import checked, rows_of
from connectors.crm.dynamics.calls import CONTACT, LEAD, Calls
from connectors.crm.dynamics.directory import Directory
from connectors.crm.exchange import Call, Send
from connectors.crm.gateway import Missing
from connectors.crm.work import kind_of
from pipeline.rules.crm import CrmConnection

_TYPE: Final = "Microsoft.Dynamics.CRM."
_TEXT: Final[Mapping[str, Any]] = {"AttributeType": "String", "MaxLength": 255, "FormatName": {"Value": "Text"}}
COLUMNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "action": {**_TEXT, "MaxLength": 64},
    "profile": {**_TEXT, "MaxLength": 64},
    "revision": {"AttributeType": "Integer", "MinValue": 0, "MaxValue": 2_147_483_647, "Format": "None"},
    "score": {"AttributeType": "Decimal", "MinValue": -1_000_000, "MaxValue": 1_000_000, "Precision": 2},
    "grade": _TEXT,
    "reason": {"AttributeType": "Memo", "MaxLength": 4000, "Format": "TextArea"},
    "segment": _TEXT,
    "trigger": _TEXT,
    "last_touch": {"AttributeType": "DateTime", "Format": "DateAndTime"},
}
"""Our columns and their metadata. None has to be unique: the lead's id is derived from the action id."""


SYNCED: Final[Mapping[str, Mapping[str, Any]]] = {
    "boolean": {
        "AttributeType": "Boolean",
        "DefaultValue": False,
        "OptionSet": {"TrueOption": {"Value": 1}, "FalseOption": {"Value": 0}, "OptionSetType": "Boolean"},
    },
    "number": {"AttributeType": "Decimal", "MinValue": -1_000_000_000, "MaxValue": 1_000_000_000, "Precision": 2},
    "text": _TEXT,
}
"""Kind of a field that follows profiles → metadata of the column that is created."""


def missing_columns(
    calls: Calls, directory: Directory, send: Send, form: Callable[[str], str], connection: CrmConnection
) -> Iterator[Missing]:
    """Yields the columns that are missing, those of another type, and the publication. ``form`` names a column.

    Raises:
        StoppedError: Dynamics is not available now.
        SinkError: A right is missing.
    """

    def create(call: Call) -> str:
        failed = checked(send(call))
        return failed.words if failed else ""

    language = 0
    for object_type in (LEAD, CONTACT):
        types = {str(one.get("LogicalName")): one.get("AttributeType") for one in directory.described(object_type)}
        for ours, metadata in COLUMNS.items():
            name = form(ours)
            if name not in types:
                language = language or _language(calls, directory)
                call = calls.create_column(object_type, _definition(name, ours, metadata, language))
                yield Missing(f"missing: column {name} of {object_type}", partial(create, call))
            elif types[name] != metadata["AttributeType"]:
                kind = f"{types[name]}, not {metadata['AttributeType']}"
                yield Missing(f"column {name} of {object_type} has type {kind}: delete or rename it", None)
        synced = connection.sync.of(kind_of(object_type))
        for name in sorted(synced.keys() - types.keys()):
            if name.startswith(f"{connection.prefix}_"):
                language = language or _language(calls, directory)
                metadata = _labelled(SYNCED[synced[name].kind], language)
                call = calls.create_column(object_type, _definition(name, name, metadata, language))
                yield Missing(f"missing: column {name} of {object_type}", partial(create, call))
            else:
                text = f"missing: column {name} of {object_type}; begin its name with the publisher's prefix"
                yield Missing(text, None)
    if language:
        yield Missing("missing: publication of the columns", partial(create, calls.publish()))


def _language(calls: Calls, directory: Directory) -> int:
    rows = rows_of(directory.answer_to(calls.language()))
    return next((int(row["languagecode"]) for row in rows if row.get("languagecode")), 1033)


def _labelled(metadata: Mapping[str, Any], language: int) -> dict[str, Any]:
    """Returns metadata whose options have labels, which Dataverse requires of yes and no."""
    options = dict(metadata.get("OptionSet", {}))
    for name, text in (("TrueOption", "Yes"), ("FalseOption", "No")):
        if name in options:
            labels = [{"@odata.type": f"{_TYPE}LocalizedLabel", "Label": text, "LanguageCode": language}]
            label = {"@odata.type": f"{_TYPE}Label", "LocalizedLabels": labels}
            options[name] = {**options[name], "Label": label}
    return {**metadata, "OptionSet": options} if options else dict(metadata)


def _definition(name: str, ours: str, metadata: Mapping[str, Any], language: int) -> dict[str, Any]:
    kind = metadata["AttributeType"]
    label = {"@odata.type": f"{_TYPE}LocalizedLabel", "Label": f"Stitchline {ours.replace('_', ' ')}"}
    return {
        "@odata.type": f"{_TYPE}{kind}AttributeMetadata",
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "SchemaName": name,
        "RequiredLevel": {"Value": "None"},
        "DisplayName": {"@odata.type": f"{_TYPE}Label", "LocalizedLabels": [{**label, "LanguageCode": language}]},
        **metadata,
    }
