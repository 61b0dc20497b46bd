"""An entry of HubSpot's webhooks journal, and the file that it points to. Pure.

Source for an entry: the schema ``JournalFetchResponse`` of HubSpot's OpenAPI document ``webhooksJournal.json``
(2026-03). Source for a file: the examples in HubSpot's guide "Webhooks journal". They show the fields ``offset``,
``publishedAt`` and ``journalEvents`` of a file, and the fields ``type``, ``portalId``, ``occurredAt``, ``action``,
``objectTypeId``, ``objectId`` and ``propertyChanges`` of an event. No public document has a schema of the file or an
example of a merge. So an event only has to name an object; what happened to it is read from the object itself.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from connectors.crm.hubspot.subscriptions import type_id
from connectors.crm.hubspot.tracked import MAIN, TYPE_IDS
from connectors.sources.crm.answers import millis, text

_TYPES: Final = {one: name for name, one in TYPE_IDS.items()}
_OBJECT_FIELDS: Final = (
    ("objectTypeId", "objectId"), ("fromObjectTypeId", "fromObjectId"), ("toObjectTypeId", "toObjectId"),
    ("associatedObjectTypeId", "associatedObjectId"),
)  # fmt: skip
"""Pairs of fields: the type and the id of an object. HubSpot's other APIs name associations by the last three pairs."""
_MERGED: Final = ("primaryObjectId", "newObjectId", "mergedObjectIds")
"""Further ids of a merge, as HubSpot's webhooks name them: an id or a list of ids."""
_OTHER_FIELDS: Final = ("eventTypeId", "listId", "listIds")
_OTHER_ACTIONS: Final = frozenset({"APP_INSTALL", "APP_UNINSTALL", "ADDED_TO_LIST", "REMOVED_FROM_LIST"})
"""Fields and actions of events from the app's other subscriptions: about the app itself, lists or behaviour."""
_TYPE_ID: Final = re.compile(r"\d+-\d+")
_HOSTS: Final = ("https://", "http://127.0.0.1:", "http://localhost:")


class Entry(NamedTuple):
    """One entry of the journal."""

    offset: str
    url: str
    """URL of its file, with a signature that expires."""


class Changed(NamedTuple):
    """An object that has changed."""

    object_type: str
    id: str
    at_ms: int
    """Time of the newest event; 0 if it states none."""


class JournalFile(NamedTuple):
    """The contents of a file."""

    changed: tuple[Changed, ...]
    """Each object once, in the order of the first event."""
    published_ms: int
    """0 if the file does not state it."""
    unknown: int
    """Number of events whose object was not recognised."""


class UnknownEventError(Exception):
    """An event names no object in a known form."""


def entry_of(body: Mapping[str, Any]) -> Entry | None:
    """Returns the entry that an answer holds; None if it holds none."""
    offset, url = body.get("currentOffset"), body.get("url")
    if isinstance(offset, str) and isinstance(url, str) and offset and url.startswith(_HOSTS):
        return Entry(offset, url)
    return None


def file_of(body: Any, portal: int, types: Collection[str]) -> JournalFile | None:
    """Returns a file's changed objects of ``types`` in the account ``portal``; None if it is no file of the journal."""
    events = body.get("journalEvents") if isinstance(body, dict) else None
    if not isinstance(events, list):
        return None
    found: dict[tuple[str, str], int] = {}
    unknown = 0
    for event in events:
        try:
            for one in objects_of(event, portal, types):
                place = (one.object_type, one.id)
                found[place] = max(one.at_ms, found.get(place, 0))
        except UnknownEventError:
            unknown += 1
    changed = tuple(Changed(*place, at_ms) for place, at_ms in found.items())
    return JournalFile(changed, millis(body.get("publishedAt")), unknown)


def objects_of(event: Any, portal: int, types: Collection[str]) -> Iterator[Changed]:
    """Yields the objects of ``types`` that an event names.

    Yields none for an event of another account or of one of the app's other subscriptions.

    Raises:
        UnknownEventError: The event names no object in a known form, or one of ``types`` without a valid id.
    """
    if not isinstance(event, dict):
        raise UnknownEventError
    if event.get("portalId") not in (None, portal, str(portal)):
        return
    named = [(type_id(event[kind]), event.get(name)) for kind, name in _OBJECT_FIELDS if event.get(kind)]
    if not all(_TYPE_ID.fullmatch(kind) for kind, _ in named):
        raise UnknownEventError
    action = text(event.get("action"))
    if not named and action not in _OTHER_ACTIONS and not any(event.get(name) for name in _OTHER_FIELDS):
        raise UnknownEventError
    tracked = [(name, value) for kind, value in named if (name := _TYPES.get(kind, "")) in types]
    if action.startswith("ASSOCIATION"):
        # Contacts and companies are read without their associations, so that these do not concern them.
        tracked = [(name, value) for name, value in tracked if name not in MAIN or name == "deals"]
    for name, value in tracked:
        for one in (value, *_further(event)):
            yield Changed(name, _id(one), millis(event.get("occurredAt")))


def _further(event: Mapping[str, Any]) -> Iterator[Any]:
    """Yields the further ids that a merge names."""
    for name in _MERGED:
        value = event.get(name)
        if isinstance(value, list):
            yield from value
        elif value is not None:
            yield value


def _id(value: Any) -> str:
    name = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not name.isdecimal():
        raise UnknownEventError
    return name
