"""Salesforce's changes by simple-salesforce: each query of the reader returns the same objects to the client."""

import sys

import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest

URL = sys.argv[1]
KINDS = {"Lead": "leads", "Contact": "contacts", "Account": "companies", "Opportunity": "deals"}


class Loopback(requests.adapters.HTTPAdapter):
    """The client knows https only: sends its requests to the emulator."""

    def send(self, request, **options):
        path = request.url.split("/", 3)[3]
        request.url = f"{URL}/{path}"
        return super().send(request, **options)


def client_of(token):
    session = requests.Session()
    session.mount("https://", Loopback())
    return Salesforce(instance="shop.my.salesforce.com", session_id=token, session=session, version="67.0")


def refusal(call, kind):
    """Returns the error that a call raises; None if it raises none."""
    try:
        call()
    except kind as error:
        return error
    return None


def fate(record):
    """Returns what became of an object, as the reader states it."""
    if record.get("IsConverted"):
        return "converted", record["ConvertedContactId"]
    if not record["IsDeleted"]:
        return "present", ""
    return ("merged", record["MasterRecordId"]) if record.get("MasterRecordId") else ("deleted", "")


def queries(step):
    """Yields the reader's queries."""
    for request in step["requests"]:
        url = requests.Request("GET", f"{URL}{request['path']}").prepare().url
        yield requests.compat.unquote(url.split("?q=")[1])


client = client_of("token")
pages = 0
fates = set()
while (answer := requests.post(f"{URL}/by-hand/next", timeout=60)).status_code == 200:
    step, seen = answer.json(), {}
    for query in queries(step):
        records, more = [], client.query(query, include_deleted=True)
        while True:
            records += more["records"]
            pages += 1
            if more["done"]:
                break
            more = client.query_more(more["nextRecordsUrl"], identifier_is_url=True, include_deleted=True)
        assert [record["Id"] for record in records] == sorted(record["Id"] for record in records), query
        for record in records:
            kind = KINDS.get(record["attributes"]["type"])
            if kind:
                seen.setdefault(kind, {})[record["Id"]] = (*fate(record), record.get("Email"))
    for kind in KINDS.values():
        read = {
            one["id"]: (one["fate"], one["into"], ((one["people"] or [{}])[0].get("email") or None))
            for one in step["read"][kind]["changes"]
        }
        expected = seen.get(kind, {})
        if kind in {"companies", "deals"}:
            read, expected = ({name: one[:2] for name, one in rows.items()} for rows in (read, expected))
        assert read == expected, (kind, sorted(read.items() ^ expected.items())[:5])
        fates |= {one[0] for one in read.values()}
assert answer.status_code == 204, answer.text
assert pages > 6, pages
assert fates == {"present", "deleted", "merged", "converted"}, fates

broken = "SELECT Id FROM Lead ORDER BY"
refused = refusal(lambda: client.query(broken, include_deleted=True), SalesforceMalformedRequest)
assert refused.content[0]["errorCode"] == "MALFORMED_QUERY", refused.content
gone = refusal(lambda: client.query_more("01g000000000999AAA-7", include_deleted=True), SalesforceMalformedRequest)
assert gone.content[0]["errorCode"] == "INVALID_QUERY_LOCATOR", gone.content
expired = client_of("older")
assert refusal(lambda: expired.query("SELECT Id FROM Lead", include_deleted=True), SalesforceExpiredSession)
