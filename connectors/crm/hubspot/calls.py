"""Requests to HubSpot. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from connectors.crm.exchange import Call
from connectors.crm.hubspot.answers import KEY_HEADER
from connectors.crm.values import fired_at, story_lines
from connectors.crm.work import Work
from pipeline.rules.crm import CrmConnection

CONTACTS, NOTES = "contacts", "notes"
KEY: Final = "stitchline_action"
NOTE_KEY: Final = "stitchline_note"


class Calls:
    """The requests of one connection. All of one batch are of one tenant."""

    def __init__(self, connection: CrmConnection) -> None:
        self._objects = f"/crm/objects/{connection.version}"
        self._properties = f"/crm/properties/{connection.version}"
        self._owners = f"/crm/owners/{connection.version}"
        self._associations = f"/crm/associations/{connection.associations_version}"

    def read_by_id(self, ids: Sequence[str], properties: Sequence[str], tenant: str) -> Call:
        """Returns the request for contacts by id, at most 100."""
        body = {"inputs": [{"id": name} for name in ids], "properties": [*properties]}
        return _post(f"{self._objects}/{CONTACTS}/batch/read", body, tenant)

    def read_by_key(self, keys: Sequence[str], properties: Sequence[str], tenant: str) -> Call:
        """Returns the request for contacts by action id, at most 100."""
        body = {"idProperty": KEY, "inputs": [{"id": key} for key in keys], "properties": [*properties]}
        return _post(f"{self._objects}/{CONTACTS}/batch/read", body, tenant)

    def read_one(self, contact_id: str, properties: Sequence[str], tenant: str) -> Call:
        """Returns the request for one contact. For the id of a merged contact HubSpot returns the survivor."""
        query = ",".join(properties)
        path = f"{self._objects}/{CONTACTS}/{contact_id}?properties={query}"
        return Call(method="GET", path=path, tenant=tenant)

    def update(self, works: Sequence[Work], tenant: str) -> Call:
        """Returns the request that updates known contacts, at most 100 different ones."""
        inputs = [{"id": work.object_id, "properties": work.sent, KEY_HEADER: work.action.action_id} for work in works]
        return _post(f"{self._objects}/{CONTACTS}/batch/update", {"inputs": inputs}, tenant)

    def upsert(self, works: Sequence[Work], tenant: str) -> Call:
        """Returns the request that creates or updates contacts by action id, at most 100."""
        inputs = [
            {
                "id": work.action.action_id,
                "idProperty": KEY,
                "properties": {name: value for name, value in work.sent.items() if name != KEY},
                KEY_HEADER: work.action.action_id,
            }
            for work in works
        ]
        return _post(f"{self._objects}/{CONTACTS}/batch/upsert", {"inputs": inputs}, tenant)

    def upsert_notes(self, works: Sequence[Work], tenant: str) -> Call:
        """Returns the request that creates or updates the notes of leads, at most 100."""
        inputs = [
            {
                "id": work.action.action_id,
                "idProperty": NOTE_KEY,
                "properties": {
                    "hs_timestamp": fired_at(work.action),
                    "hs_note_body": note_text(work),
                },
                KEY_HEADER: work.action.action_id,
            }
            for work in works
        ]
        return _post(f"{self._objects}/{NOTES}/batch/upsert", {"inputs": inputs}, tenant)

    def associate(self, works: Sequence[Work], tenant: str) -> Call:
        """Returns the request that attaches the notes to their contacts. Repeating it has no effect."""
        inputs = [{"from": {"id": work.note_id}, "to": {"id": work.object_id}} for work in works]
        path = f"{self._associations}/{NOTES}/{CONTACTS}/batch/associate/default"
        return _post(path, {"inputs": inputs}, tenant)

    def properties(self, object_type: str) -> Call:
        """Returns the request for all properties of an object type."""
        return Call(method="GET", path=f"{self._properties}/{object_type}")

    def property_groups(self, object_type: str) -> Call:
        """Returns the request for all property groups of an object type."""
        return Call(method="GET", path=f"{self._properties}/{object_type}/groups")

    def create_group(self, object_type: str, group: Mapping[str, str]) -> Call:
        """Returns the request that creates a property group."""
        return _post(f"{self._properties}/{object_type}/groups", group)

    def create_property(self, object_type: str, definition: Mapping[str, object]) -> Call:
        """Returns the request that creates a property."""
        return _post(f"{self._properties}/{object_type}", definition)

    def owners(self, after: str = "") -> Call:
        """Returns the request for a page of active owners."""
        page = f"&after={after}" if after else ""
        return Call(method="GET", path=f"{self._owners}?limit=500&archived=false{page}")

    def delete(self, contact_id: str) -> Call:
        """Returns the request that archives a contact."""
        return Call(method="DELETE", path=f"{self._objects}/{CONTACTS}/{contact_id}")


def note_text(work: Work) -> str:
    """Returns the note of a lead as HTML, with every value escaped."""
    return "<br>".join(escape(line) for line in story_lines(work.action, work.reason, work.owner.reason))


def _post(path: str, body: object, tenant: str = "") -> Call:
    return Call(method="POST", path=path, body=body, tenant=tenant)
