"""HubSpot in memory: contacts, notes, associations, properties and owners, with its answers, limits and traps.

``tests/crm/witness`` drives it with hubspot-api-client 12.0.0, whose paths of version 3 are rewritten to those of
2026-09: batch upsert, update and read, a refused address, properties, archiving.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import httpx2
import msgspec

from connectors.crm.hubspot.properties import CONTACT_PROPERTIES, NOTE_PROPERTIES
from pipeline.rules.crm import CrmField
from tests.crm import emulator as faults
from tests.crm.emulator import Crm

NAMES = {
    "action": "stitchline_action", "revision": "stitchline_revision", "profile": "stitchline_profile",
    "email": "email", "phone": "phone", "first": "firstname", "owner": "hubspot_owner_id",
    "reason": "stitchline_reason", "score": "stitchline_score", "grade": "stitchline_grade",
}  # fmt: skip
STANDARD = {
    "email": "string", "phone": "string", "firstname": "string", "lastname": "string", "company": "string",
    "hubspot_owner_id": "enumeration", "lastmodifieddate": "datetime",
}  # fmt: skip
UNIQUE = {"contacts": {"stitchline_action", "email"}, "notes": {"stitchline_note"}}
MAX_INPUTS = 100


class Refusal(Exception):  # noqa: N818
    """A request that changes nothing."""

    def __init__(self, status: int, category: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": "error", "category": category, "message": message, "correlationId": "0-0", **more}


class HubSpot(Crm):
    """One account."""

    name, kind, home = "HubSpot", "hubspot", "contact"
    connection: ClassVar = {
        "fields": (
            CrmField(to="email", value="contact.email"),
            CrmField(to="phone", value="contact.phone"),
            CrmField(to="firstname", value="contact.firstName"),
        ),
    }  # fmt: skip
    owners_by_name: ClassVar = {"ann": "10", "gone": "30", "fallback": "20", "human": "77"}
    upserts = re.compile(r".*contacts/batch/upsert")
    updates = re.compile(r".*contacts/batch/update")
    follows = re.compile(r"GET /crm/objects/.*")
    converts = False

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, dict[str, dict[str, str]]] = {"contacts": {}, "notes": {}}
        self.index: dict[tuple[str, str, str], str] = {}
        """(kind, unique property, value in lower case) → object."""
        self.links: set[tuple[str, str]] = set()
        self.merged: dict[str, str] = {}
        self.types: dict[str, dict[str, str]] = {"contacts": dict(STANDARD), "notes": {"hs_note_body": "string"}}
        self.types["notes"]["hs_timestamp"] = "datetime"
        self.groups: dict[str, set[str]] = {"contacts": set(), "notes": set()}
        self.owners = {"10": True, "20": True, "30": False, "77": True}
        self._next = 100

    def prepare(self) -> None:
        self.types["contacts"] |= {name: one[0] for name, one in CONTACT_PROPERTIES.items()}
        self.types["notes"] |= {name: one[0] for name, one in NOTE_PROPERTIES.items()}

    def remove_field(self, field: str) -> None:
        self.types["contacts"].pop(NAMES[field], None)

    def add_fields(self, names: Sequence[str]) -> None:
        self.types["contacts"] |= dict.fromkeys(names, "string")

    def note_count(self) -> int:
        return len(self.objects["notes"])

    def is_write(self, request: httpx2.Request) -> bool:
        return request.url.path.endswith(("/update", "/upsert", "/default", "/gdpr-delete"))

    def refusal(self, fault: str) -> httpx2.Response | None:
        limit = {"status": "error", "errorType": "RATE_LIMIT", "message": "You have reached your limit."}
        match fault:
            case faults.KEY_EXPIRED:
                return _json(401, {"status": "error", "category": "INVALID_AUTHENTICATION", "message": "expired"})
            case faults.SLOW_DOWN:
                return _json(429, {**limit, "policyName": "TEN_SECONDLY_ROLLING"}, {"Retry-After": "10"})
            case faults.DAY_LIMIT:
                return _json(429, {**limit, "policyName": "DAILY"})
            case faults.UNAVAILABLE:
                return httpx2.Response(503, text="<html>Service Unavailable</html>")
            case faults.SERVER_ERROR:
                return _json(500, {"status": "error", "message": "internal error"})
            case faults.RIGHT_MISSING:
                return _json(403, {"status": "error", "category": "MISSING_SCOPES", "message": "needs contacts.write"})
            case faults.RACE:
                return _json(409, {"status": "error", "category": "CONFLICT", "message": "concurrent modification"})
            case faults.EMPTY:
                return _json(200, {"status": "COMPLETE", "results": []})
        return None

    def answer(self, request: httpx2.Request, fault: str) -> httpx2.Response:
        if request.headers.get("authorization") != f"Bearer {self.secrets[faults.SECRET]}":
            return _json(401, {"status": "error", "category": "INVALID_AUTHENTICATION", "message": "invalid key"})
        try:
            status, body = self._route(request)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body)
        if fault == faults.SHORT and isinstance(body, dict) and body.get("results"):
            body["results"] = body["results"][: len(body["results"]) // 2]
        return httpx2.Response(status) if body is None else _json(status, body)

    def raw(self, lead_id: str) -> Mapping[str, Any]:
        return self.objects["contacts"][lead_id]

    def leads(self) -> dict[str, dict[str, str]]:
        return {
            name: {ours: properties[theirs] for ours, theirs in NAMES.items() if properties.get(theirs)}
            for name, properties in self.objects["contacts"].items()
        }

    def stories(self, lead_id: str) -> Sequence[str]:
        notes = self.objects["notes"]
        return [notes[note]["hs_note_body"] for note, contact in sorted(self.links) if contact == lead_id]

    def add_by_hand(self, email: str, **fields: str) -> str:
        return self._create("contacts", {"email": email, **{NAMES[name]: value for name, value in fields.items()}})

    def edit_by_hand(self, lead_id: str, **fields: str) -> None:
        self._put("contacts", lead_id, {NAMES[name]: value for name, value in fields.items()})

    def delete_by_hand(self, lead_id: str) -> None:
        self._drop("contacts", lead_id)

    def merge_by_hand(self, survivor: str, loser: str) -> str:
        kept, lost = self._drop("contacts", survivor), self._drop("contacts", loser)
        third = self._create("contacts", {**lost, **kept})
        self.merged |= {old: third for old, new in self.merged.items() if new in {survivor, loser}}
        self.merged |= {survivor: third, loser: third}
        self.links |= {(note, third) for note, contact in self.links if contact in {survivor, loser}}
        return third

    def _route(self, request: httpx2.Request) -> tuple[int, Any]:
        path, method = request.url.path, request.method
        body = msgspec.json.decode(request.content) if request.content else {}
        if hit := re.fullmatch(r"/crm/objects/2026-09/(contacts|notes)/batch/(read|update|upsert)", path):
            inputs = body.get("inputs", [])
            if len(inputs) > MAX_INPUTS:
                raise Refusal(400, "VALIDATION_ERROR", "too many inputs")
            return getattr(self, f"_{hit[2]}")(hit[1], body, inputs)
        if path == "/crm/associations/2026-03/notes/contacts/batch/associate/default":
            return self._associate(body["inputs"])
        if hit := re.fullmatch(r"/crm/objects/2026-09/contacts/(\d+)", path):
            return self._one(method, hit[1])
        if path == "/crm/v3/objects/contacts/gdpr-delete":
            return self._purge(body["objectId"])
        if hit := re.fullmatch(r"/crm/properties/2026-09/(contacts|notes)(/groups)?", path):
            return self._property(method, hit[1], bool(hit[2]), body)
        if path == "/crm/owners/2026-09":
            active = [{"id": name, "type": "PERSON", "archived": False} for name, on in self.owners.items() if on]
            return 200, {"results": active}
        raise Refusal(404, "OBJECT_NOT_FOUND", f"no such path: {path}")

    def _purge(self, contact: str) -> tuple[int, Any]:
        """Deletes the contact and everything that is associated with it."""
        contact = self.merged.get(contact, contact)
        if contact not in self.objects["contacts"]:
            raise Refusal(404, "OBJECT_NOT_FOUND", f"{contact} not found")
        if self.keeps_records:
            raise Refusal(400, "VALIDATION_ERROR", f"{contact} cannot be deleted")
        self._drop("contacts", contact)
        for note, linked in sorted(self.links):
            if linked == contact:
                self._drop("notes", note)
        self.links = {(note, linked) for note, linked in self.links if linked != contact}
        return 204, None

    def _read(self, kind: str, body: Any, inputs: list[Any]) -> tuple[int, Any]:
        results, errors = [], []
        for item in inputs:
            found = self._find(kind, body.get("idProperty", "hs_object_id"), item["id"])
            if found is None:
                context = {"ids": [item["id"]]}
                error = {"category": "OBJECT_NOT_FOUND", "message": "not found", "context": context}
                errors.append({"status": "error", **error, "links": {}, "errors": []})
            else:
                wanted = {name: self.objects[kind][found].get(name) for name in body["properties"]}
                results.append({"id": found, "properties": wanted})
        return (207 if errors else 200), {"status": "COMPLETE", "results": results, "errors": errors}

    def _update(self, kind: str, _: Any, inputs: list[Any]) -> tuple[int, Any]:
        targets = [(item, item["id"]) for item in inputs]
        return self._write(kind, targets)

    def _upsert(self, kind: str, _: Any, inputs: list[Any]) -> tuple[int, Any]:
        if any(item.get("idProperty") not in UNIQUE[kind] for item in inputs):
            raise Refusal(400, "VALIDATION_ERROR", "non-unique 0-2 property")
        targets = [(item, self._find(kind, item["idProperty"], item["id"])) for item in inputs]
        return self._write(kind, targets)

    def _write(self, kind: str, targets: list[tuple[Any, str | None]]) -> tuple[int, Any]:
        """All or nothing, as HubSpot does with a conflict or an invalid value."""
        if len({item["id"] for item, _ in targets}) < len(targets):
            raise Refusal(400, "VALIDATION_ERROR", "duplicate ids in the batch")
        for item, target in targets:
            self._validate(kind, item, target)
        emails = [email.lower() for item, _ in targets if (email := item["properties"].get("email"))]
        if len(set(emails)) < len(emails):
            raise Refusal(409, "CONFLICT", "Contact already exists.")
        results = []
        for item, known in targets:
            properties = dict(item["properties"])
            if "idProperty" in item:
                properties[item["idProperty"]] = item["id"]
            target = known or self._create(kind, properties)
            if known:
                self._put(kind, known, properties)
            if "stitchline_score" in properties:
                self.history.append((target, item["objectWriteTraceId"], properties["stitchline_score"]))
            if self.reverts_owner and "hubspot_owner_id" in properties:
                self.objects[kind][target]["hubspot_owner_id"] = "77"
            result = {"id": target, "new": known is None, "properties": dict(self.objects[kind][target])}
            results.append({**result, "objectWriteTraceId": item.get("objectWriteTraceId")})
        return 200, {"status": "COMPLETE", "results": results}

    def _validate(self, kind: str, item: Any, target: str | None) -> None:
        for name, value in item["properties"].items():
            if name not in self.types[kind]:
                message = f'Property values were not valid: Property "{name}" does not exist, PROPERTY_DOESNT_EXIST'
                raise Refusal(400, "VALIDATION_ERROR", message)
            assert isinstance(value, str), (name, value)
            if (name, value) == self.refuses:
                raise Refusal(400, "VALIDATION_ERROR", f"Property values were not valid: {name} is not allowed")
        email = item["properties"].get("email", "")
        if email.endswith(".invalid"):
            raise Refusal(400, "VALIDATION_ERROR", f"Email address {email} is invalid")
        if "idProperty" not in item and target not in self.objects[kind]:
            raise Refusal(404, "OBJECT_NOT_FOUND", f"{target} not found")
        other = self._find(kind, "email", email) if email else None
        if other is not None and other != target:
            raise Refusal(409, "CONFLICT", f"Contact already exists. Existing ID: {other}")

    def _associate(self, inputs: list[Any]) -> tuple[int, Any]:
        for item in inputs:
            if item["from"]["id"] not in self.objects["notes"] or item["to"]["id"] not in self.objects["contacts"]:
                raise Refusal(400, "VALIDATION_ERROR", "no such object")
        self.links |= {(item["from"]["id"], item["to"]["id"]) for item in inputs}
        return 200, {"status": "COMPLETE", "results": [dict(item) for item in inputs]}

    def _one(self, method: str, name: str) -> tuple[int, Any]:
        name = self.merged.get(name, name)
        if name not in self.objects["contacts"]:
            raise Refusal(404, "OBJECT_NOT_FOUND", "resource not found")
        if method == "DELETE":
            self._drop("contacts", name)
            return 204, None
        return 200, {"id": name, "properties": dict(self.objects["contacts"][name])}

    def _property(self, method: str, kind: str, groups: bool, body: Any) -> tuple[int, Any]:
        if method == "GET":
            names: Iterator[dict[str, str]] = (
                ({"name": name} for name in sorted(self.groups[kind]))
                if groups
                else ({"name": name, "type": one} for name, one in self.types[kind].items())
            )
            return 200, {"results": list(names)}
        if groups:
            self.groups[kind].add(body["name"])
            return 201, body
        if body["groupName"] not in self.groups[kind] or not {"label", "type", "fieldType"} <= body.keys():
            raise Refusal(400, "VALIDATION_ERROR", "no such group, or a field is missing")
        self.types[kind][body["name"]] = body["type"]
        return 201, body

    def _find(self, kind: str, name: str, value: str) -> str | None:
        if name == "hs_object_id":
            return value if value in self.objects[kind] else None
        return self.index.get((kind, name, value.lower()))

    def _create(self, kind: str, properties: dict[str, str]) -> str:
        self._next += 1
        self.objects[kind][str(self._next)] = {}
        self._put(kind, str(self._next), properties)
        return str(self._next)

    def _put(self, kind: str, name: str, properties: dict[str, str]) -> None:
        held = self.objects[kind][name]
        for unique in UNIQUE[kind] & properties.keys():
            self.index.pop((kind, unique, held.get(unique, "").lower()), None)
            self.index[kind, unique, properties[unique].lower()] = name
        held |= properties

    def _drop(self, kind: str, name: str) -> dict[str, str]:
        held = self.objects[kind].pop(name)
        for unique in UNIQUE[kind] & held.keys():
            self.index.pop((kind, unique, held[unique].lower()), None)
        return held


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    headers = {"content-type": "application/json;charset=UTF-8", **(headers or {})}
    return httpx2.Response(status, content=msgspec.json.encode(body), headers=headers)
