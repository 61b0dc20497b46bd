"""The properties that the sink needs in HubSpot, and the requests that create those that are missing."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from connectors.crm.exchange import Call, Send
from connectors.crm.gateway import Missing
from connectors.crm.hubspot.answers import checked
from connectors.crm.hubspot.calls import CONTACTS, KEY, NOTE_KEY, NOTES, Calls
from connectors.crm.hubspot.directory import Directory
from pipeline.rules.crm_sync import CrmSync

GROUP: Final = "stitchline"
_TEXT, _LONG_TEXT = ("string", "text"), ("string", "textarea")
CONTACT_PROPERTIES: Final = {
    KEY: (*_TEXT, "Stitchline action", True),
    "stitchline_profile": (*_TEXT, "Stitchline profile", False),
    "stitchline_revision": ("number", "number", "Stitchline revision", False),
    "stitchline_score": ("number", "number", "Stitchline score", False),
    "stitchline_grade": (*_TEXT, "Stitchline grade", False),
    "stitchline_reason": (*_LONG_TEXT, "Stitchline reason", False),
    "stitchline_segment": (*_TEXT, "Stitchline segment", False),
    "stitchline_trigger": (*_TEXT, "Stitchline trigger", False),
    "stitchline_last_touch": ("datetime", "date", "Stitchline last touch", False),
}
"""Property → (type, field type, label, whether its values are unique)."""
_YES_OR_NO: Final = [
    {"label": text, "value": value, "displayOrder": place}
    for place, (text, value) in enumerate((("Yes", "true"), ("No", "false")))
]
SYNCED: Final = {"boolean": ("bool", "booleancheckbox"), "number": ("number", "number"), "text": _TEXT}
"""Kind of a field that follows profiles → (type, field type) of the property that is created."""
NOTE_PROPERTIES: Final = {NOTE_KEY: (*_TEXT, "Stitchline note", True)}


def missing_properties(
    calls: Calls, directory: Directory, send: Send, *, story: bool, sync: CrmSync
) -> Iterator[Missing]:
    """Yields the property groups and properties that are missing, and properties of another type.

    Raises:
        StoppedError: HubSpot is not available now.
        SinkError: A right is missing.
    """

    def creating(call: Call) -> str:
        failed = checked(send(call))
        return failed.words if failed else ""

    synced = {name: (*SYNCED[field.kind], name, False) for name, field in sync.of("contacts").items()}
    wanted = {CONTACTS: {**CONTACT_PROPERTIES, **synced}, **({NOTES: NOTE_PROPERTIES} if story else {})}
    for object_type, properties in wanted.items():
        types = directory.types_of(object_type)
        missing = [name for name in properties if name not in types]
        if missing and GROUP not in directory.groups_of(object_type):
            group = calls.create_group(object_type, {"name": GROUP, "label": "Stitchline"})
            yield Missing(f"missing: property group {GROUP} of {object_type}", partial(creating, group))
        for name, (kind, field_type, label, unique) in properties.items():
            if name in missing:
                call = calls.create_property(object_type, {
                    "name": name, "label": label, "type": kind, "fieldType": field_type, "groupName": GROUP,
                    "hasUniqueValue": unique, **({"options": _YES_OR_NO} if kind == "bool" else {}),
                })  # fmt: skip
                yield Missing(f"missing: property {name} of {object_type}", partial(creating, call))
            elif types[name] != kind and name in CONTACT_PROPERTIES | NOTE_PROPERTIES:
                text = f"property {name} of {object_type} has type {types[name]}, not {kind}: delete or rename it"
                yield Missing(text, None)
