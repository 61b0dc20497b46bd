"""HubSpot's webhooks journal in memory: subscriptions, entries that expire, and files behind signed URLs that expire.

The paths and the shapes of entries and subscriptions are those of HubSpot's OpenAPI document, which the vendor's client
``hubspot-sdk`` checks in ``tests/crm/witness``; the shape of a file is that of the guide's examples.
"""

import re
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import httpx2
import msgspec

from pipeline.event.instant import format_instant
from tests.crm.hubspot_emulator import MAX_INPUTS, Refusal, _json
from tests.crm.hubspot_read_side import OTHERS, ReadableHubSpot

PORTAL = 4711
APP, APP_SECRET = "app-1", "env:CRM_APP"
TYPES = {
    "contacts": "0-1", "companies": "0-2", "deals": "0-3", "calls": "0-48", "meetings": "0-47", "emails": "0-49",
    "notes": "0-46", "tasks": "0-27",
}  # fmt: skip
KEPT_MS = 3 * 86_400_000
SCOPES = {"developer.webhooks_journal.read", "crm.objects.contacts.read"}


class Published(NamedTuple):
    """One entry."""

    offset: str
    at_ms: int
    events: list[dict[str, Any]]


class JournaledHubSpot(ReadableHubSpot):
    """One account, in which an app is installed."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self.secrets[APP_SECRET] = "app-secret-1"
        self.subscriptions: list[dict[str, Any]] = []
        self.entries: list[Published] = []
        self.pending: list[dict[str, Any]] = []
        """Events that the next request finds in files."""
        self.file_size = 100
        """Most events of a file."""
        self.files_url = "https://files.example"
        self.url_ms = 60_000
        """How long the signature of a URL is valid."""
        self.left_out: set[str] = set()
        """Objects that a batch read leaves out, without an error."""
        self.unreadable: set[str] = set()
        """Offsets of entries whose file is no JSON."""
        self.downloads = 0
        self.tokens: set[str] = set()
        self.granted = {
            *SCOPES, "developer.webhooks_journal.subscriptions.read", "developer.webhooks_journal.subscriptions.write",
            "crm.objects.companies.read", "crm.objects.deals.read",
        }  # fmt: skip
        """The scopes that the app has."""
        self._numbers = iter(range(1, 1 << 30))

    # What happens by hand or by a request.

    def put(self, kind: str, row: str = "", /, at_ms: int = 0, **properties: str) -> str:
        is_new = not row or row not in self._store(kind)
        name = super().put(kind, row, at_ms, **properties)
        self.record("OBJECT", kind, name, "CREATE" if is_new else "UPDATE", properties, at_ms)
        return name

    def link(self, kind: str, name: str, other: str, *ids: str) -> None:
        super().link(kind, name, other, *ids)
        for one in ids:
            ends = {"associatedObjectTypeId": TYPES[other], "associatedObjectId": int(one)}
            self.record("ASSOCIATION", kind, name, "ASSOCIATION_ADDED", {}, **ends)

    def remove(self, kind: str, name: str) -> None:
        super().remove(kind, name)
        self.record("OBJECT", kind, name, "DELETE")

    def merge_by_hand(self, survivor: str, loser: str) -> str:
        third = super().merge_by_hand(survivor, loser)
        ends = {"primaryObjectId": int(survivor), "mergedObjectIds": [int(loser)], "newObjectId": int(third)}
        self.record("OBJECT", "contacts", third, "MERGE", **ends)
        self.record("OBJECT", "contacts", loser, "DELETE")
        return third

    def purge(self, contact: str) -> None:
        """Deletes a contact for good, by HubSpot's privacy deletion."""
        self._purge(contact)

    def restore(self, kind: str, name: str, **properties: str) -> None:
        """Takes an archived object back."""
        del self.archived[kind][name]
        self._store(kind)[name] = {}
        super().put(kind, name, **properties)
        self.record("OBJECT", kind, name, "RESTORE")

    def _purge(self, contact: str) -> tuple[int, Any]:
        answer = super()._purge(contact)
        self.record("GDPR_PRIVACY_DELETION", "contacts", contact, "GDPR_DELETE")
        return answer

    def _put(self, kind: str, name: str, properties: dict[str, str]) -> None:
        action = "UPDATE" if self.objects[kind][name] else "CREATE"
        super()._put(kind, name, properties)
        self.record("OBJECT", kind, name, action, properties)

    def record(
        self, subscription: str, kind: str, name: str, action: str, changes: dict[str, str] | None = None,
        at_ms: int = 0, **more: Any,
    ) -> None:  # fmt: skip
        """Records an event, if a subscription of the account wants it."""
        for one in self.subscriptions:
            same = one["subscriptionType"] == subscription and one["objectTypeId"] == TYPES[kind]
            if not same or action not in one["actions"] or one.get("objectIds"):
                continue
            if action == "UPDATE" and not {*(changes or {})} & {*(one.get("properties") or ())}:
                continue
            if (
                more
                and subscription == "ASSOCIATION"
                and more["associatedObjectTypeId"] not in one["associatedObjectTypeIds"]
            ):
                continue
            self.pending.append({
                "type": subscription.lower(), "portalId": PORTAL, "action": action, "objectTypeId": TYPES[kind],
                "objectId": int(name), "occurredAt": format_instant(at_ms or self.clock()),
                "propertyChanges": dict(changes or {}), **more,
            })  # fmt: skip
            return

    # What requests find.

    def answer(self, request: httpx2.Request, fault: str) -> httpx2.Response:
        path = request.url.path
        if path.startswith("/journal-files/"):
            return self._file(request)
        if path == "/oauth/2026-03/token":
            return self._token(request)
        if not path.startswith("/webhooks-journal/"):
            return super().answer(request, fault)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _json(401, {"status": "error", "category": "INVALID_AUTHENTICATION", "message": "no app's token"})
        try:
            status, body = self._journal(request)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body)
        return httpx2.Response(status) if body is None else _json(status, body)

    def publish(self) -> None:
        """Puts the events so far into files, and drops entries that are too old."""
        while self.pending:
            events, self.pending = self.pending[: self.file_size], self.pending[self.file_size :]
            offset = str(uuid.UUID(int=next(self._numbers), version=4))
            self.entries.append(Published(offset, self.clock(), events))
        self.entries = [one for one in self.entries if self.clock() - one.at_ms < KEPT_MS]

    def _journal(self, request: httpx2.Request) -> tuple[int, Any]:
        path, method = request.url.path, request.method
        if path == "/webhooks-journal/subscriptions/2026-03":
            return self._subscribed(request) if method == "POST" else (200, {"results": self.subscriptions})
        if request.url.params.get("installPortalId") != str(PORTAL):
            raise Refusal(400, "VALIDATION_ERROR", "another account")
        self.publish()
        base = "/webhooks-journal/journal-local/2026-03"
        if path == f"{base}/latest":
            return self._entry(self.entries[-1:])
        if path == f"{base}/earliest":
            return self._entry(self.entries[:1])
        hit = re.fullmatch(rf"{base}/offset/([\w-]+)/next", path)
        if not hit:
            raise Refusal(404, "OBJECT_NOT_FOUND", f"no such path: {path}")
        places = [place for place, one in enumerate(self.entries) if one.offset == hit[1]]
        if not places:
            raise Refusal(404, "OBJECT_NOT_FOUND", "the offset has expired or does not exist")
        return self._entry(self.entries[places[0] + 1 :][:1])

    def _entry(self, entries: list[Published]) -> tuple[int, Any]:
        if not entries:
            return 204, None
        expires_ms = self.clock() + self.url_ms
        url = f"{self.files_url}/journal-files/{entries[0].offset}.json?X-Amz-Expires={expires_ms}&X-Amz-Signature=s"
        return 200, {"url": url, "expiresAt": format_instant(expires_ms), "currentOffset": entries[0].offset}

    def _subscribed(self, request: httpx2.Request) -> tuple[int, Any]:
        """Creates or updates the subscription of a type."""
        body, now = msgspec.json.decode(request.content), format_instant(self.clock())
        if not {"subscriptionType", "portalId", "actions", "objectTypeId"} <= body.keys():
            raise Refusal(400, "VALIDATION_ERROR", "a field is missing")
        key = {name: body[name] for name in ("subscriptionType", "portalId", "objectTypeId")}
        same = [one for one in self.subscriptions if key.items() <= one.items()]
        held = same[0] if same else {"id": next(self._numbers), "appId": 99, "createdAt": now, "deletedAt": None}
        if not same:
            self.subscriptions.append(held)
        held |= {"objectIds": [], "properties": [], "associatedObjectTypeIds": [], **body, "updatedAt": now}
        return 200, dict(held)

    def _file(self, request: httpx2.Request) -> httpx2.Response:
        """A file, as a store with signed URLs answers: a second authorization is refused."""
        self.downloads += 1
        offset = request.url.path.removeprefix("/journal-files/").removesuffix(".json")
        if "authorization" in request.headers:
            return httpx2.Response(400, text="<Error><Code>InvalidArgument</Code></Error>")
        if int(request.url.params["X-Amz-Expires"]) <= self.clock():
            return httpx2.Response(403, text="<Error><Code>AccessDenied</Code></Error>")
        found = [one for one in self.entries if one.offset == offset]
        if not found:
            return httpx2.Response(404, text="<Error><Code>NoSuchKey</Code></Error>")
        if offset in self.unreadable:
            return httpx2.Response(200, text="no JSON")
        published = format_instant(found[0].at_ms)
        return _json(200, {"offset": offset, "journalEvents": found[0].events, "publishedAt": published})

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if form.get("client_id") != APP or form.get("client_secret") != self.secrets[APP_SECRET]:
            return _json(400, {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id"})
        if form.get("grant_type") != "client_credentials" or not SCOPES <= {*form["scope"].split()} <= self.granted:
            return _json(400, {"status": "BAD_REQUEST", "message": "grant type or scope"})
        token = f"t-{next(self._numbers)}"
        self.tokens.add(token)
        return _json(200, {"access_token": token, "expires_in": 1800, "token_type": "bearer"})

    def _route(self, request: Any) -> tuple[int, Any]:
        path = request.url.path
        if hit := re.fullmatch(rf"/crm/objects/2026-09/({'|'.join(OTHERS)})/batch/read", path):
            return self._read(hit[1], *_inputs(request))
        if request.method == "GET" and (hit := re.fullmatch(rf"/crm/objects/2026-09/({'|'.join(OTHERS)})/(\d+)", path)):
            if hit[2] not in self.others[hit[1]]:
                raise Refusal(404, "OBJECT_NOT_FOUND", "resource not found")
            return 200, self._shown(hit[1], hit[2], [])
        return super()._route(request)

    def _read(self, kind: str, body: Any, inputs: list[Any]) -> tuple[int, Any]:
        if kind in self.objects:
            status, answer = super()._read(kind, body, inputs)
        else:
            store = self.others[kind]
            results = [self._shown(kind, one["id"], body["properties"]) for one in inputs if one["id"] in store]
            errors = [
                {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "not found",
                 "context": {"ids": [one["id"]]}, "links": {}, "errors": []}
                for one in inputs if one["id"] not in store
            ]  # fmt: skip
            now = format_instant(self.clock())
            answer = {"status": "COMPLETE", "results": results, "errors": errors, "startedAt": now, "completedAt": now}
            status = 207 if errors else 200
        answer["results"] = [one for one in answer["results"] if one["id"] not in self.left_out]
        return status, answer


def _inputs(request: Any) -> tuple[Any, list[Any]]:
    body = msgspec.json.decode(request.content)
    if len(body["inputs"]) > MAX_INPUTS:
        raise Refusal(400, "VALIDATION_ERROR", "too many inputs")
    return body, body["inputs"]
