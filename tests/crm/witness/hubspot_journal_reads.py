"""HubSpot's webhooks journal by hubspot-sdk: each request of the reader returns the same entries to the client.

The client's checks of answers are on. What it has no call for (the newest entry, files) it sends by its plain requests;
those to objects are the subject of ``hubspot_reads.py``.
"""

import re
import sys
from datetime import datetime

import httpx
from hubspot_sdk import HubSpot, NotFoundError
from hubspot_sdk.types.shared import JournalFetchResponse

URL = sys.argv[1]
JOURNAL = "/webhooks-journal/journal-local/2026-03"
NEXT = re.compile(rf"{JOURNAL}/offset/([\w-]+)/next\?installPortalId=(\d+)")
FORM = {
    "grant_type": "client_credentials", "client_id": "app-1", "client_secret": "app-secret-1",
    "scope": "developer.webhooks_journal.read crm.objects.contacts.read crm.objects.deals.read",
}  # fmt: skip
TYPES = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-48": "calls"}


def client_of(token):
    return HubSpot(access_token=token, base_url=URL, max_retries=0, _strict_response_validation=True)


token = httpx.post(f"{URL}/oauth/2026-03/token", data=FORM).raise_for_status().json()["access_token"]
app, account = client_of(token), client_of("s-1")
local = app.webhooks_journal.journal_local


class Seen:
    """What the client has seen in one step."""

    def __init__(self):
        self.changed, self.gone, self.statuses, self.subscribed = set(), set(), [], 0
        self.found, self.there = {}, set()

    def send(self, request):
        """Sends one request of the reader."""
        method, path, body = request["method"], request["path"], request["body"]
        status = request["status"]
        if path == "/webhooks-journal/subscriptions/2026-03":
            listed = app.webhooks_journal.subscriptions.list().results
            assert all(isinstance(one.created_at, datetime) and one.portal_id == 4711 for one in listed)
            self.subscribed = len(listed)
        elif hit := NEXT.fullmatch(path):
            self.entry(status, lambda: local.get_next_from_offset(hit[1], install_portal_id=int(hit[2])))
        elif path.startswith(f"{JOURNAL}/earliest"):
            self.entry(status, lambda: local.get_earliest(install_portal_id=4711))
        elif path.startswith(JOURNAL):
            self.entry(status, lambda: app.get(path, cast_to=httpx.Response))
        elif path.startswith("/journal-files/"):
            assert "authorization" not in request["headers"], "the file's host has seen the access key"
            self.file(httpx.get(f"{URL}{path}").raise_for_status().json())
        else:
            self.account(method, path, body, status)

    def entry(self, status, call):
        """An entry, no content, or an offset that is refused, as the reader has got it."""
        try:
            answer = call()
        except NotFoundError:
            assert status == 404, status
            self.statuses.append(404)
            return
        code = getattr(answer, "status_code", None) or answer.response.status_code
        self.statuses.append(code)
        assert code == status, (code, status)
        if code == 200:
            entry = JournalFetchResponse.model_validate(answer.json(), strict=False)
            assert isinstance(entry.expires_at, datetime)
            assert entry.url.startswith(URL), entry.url

    def file(self, body):
        assert datetime.fromisoformat(body["publishedAt"])
        for event in body["journalEvents"]:
            assert event["portalId"] == 4711
            self.changed.add((TYPES[event["objectTypeId"]], str(event["objectId"])))

    def account(self, method, path, body, status):
        send = getattr(account, method.lower())
        try:
            answer = send(path, cast_to=httpx.Response, **({"body": body} if body is not None else {}))
        except NotFoundError:
            assert status == 404, path
            self.gone.add(path.rpartition("/")[2])
            return
        assert answer.status_code == status, path

    def compare(self, read):
        """Checks what the reader has read of the journal. Returns the fates."""
        ours = {(one["kind"], one["id"]) for one in read["journal"]["changes"]}
        ours |= {("calls", name.removeprefix("calls-")) for kind, name in ours if kind == "activity"}
        wanted = {(kind, name) for kind, name in self.changed if kind != "contact" or name not in self.gone}
        assert wanted <= ours, sorted(wanted - ours)[:5]
        deleted = {one["id"] for one in read["journal"]["changes"] if one["fate"] == "deleted"}
        assert deleted == {name for _, name in self.changed if name in self.gone}, (deleted, self.gone)
        return {one["fate"] for one in read["journal"]["changes"]}


fates, statuses, files, gaps, subscribed = set(), set(), 0, 0, 0
while (answer := httpx.post(f"{URL}/by-hand/next", timeout=60)).status_code == 200:
    step, seen = answer.json(), Seen()
    for request in step["requests"]:
        seen.send(request)
    fates |= seen.compare(step["read"])
    statuses |= {*seen.statuses}
    files += bool(seen.changed)
    gaps += len(step["read"]["journal"]["gaps"])
    subscribed = max(subscribed, seen.subscribed)
assert answer.status_code == 204, answer.text
assert fates == {"present", "deleted", "merged"}, fates
assert statuses >= {200, 204}, statuses
assert (files, gaps) == (2, 1), (files, gaps)
assert subscribed == 15, subscribed

created = app.webhooks_journal.subscriptions.create(
    actions=["CREATE", "UPDATE"], object_ids=[], object_type_id="0-2", portal_id=4711, properties=["name"],
    subscription_type="OBJECT",
)  # fmt: skip
assert created.subscription_type == "OBJECT"
assert len(app.webhooks_journal.subscriptions.list().results) == 15, "an update has made another subscription"
