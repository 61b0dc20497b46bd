"""HubSpot's changes by hubspot-api-client: each request of the reader returns the same objects to the client.

The client's own checks of required properties, which are off by default, are on.
"""

import re
import sys
from datetime import datetime

import hubspot_paths  # noqa: F401  rewrites the paths
import requests
from hubspot import HubSpot
from hubspot.crm.associations.v4 import (
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicFetchAssociationsBatchRequest,
)
from hubspot.crm.contacts import (
    BatchReadInputSimplePublicObjectId,
    Filter,
    FilterGroup,
    PublicObjectSearchRequest,
    SimplePublicObjectId,
)
from hubspot.crm.contacts.exceptions import ApiException

URL = sys.argv[1]
SEARCH = re.compile(r"/crm/objects/2026-09/(\w+)/search")
ASSOCIATIONS = re.compile(r"/crm/associations/2026-03/(\w+)/(\w+)/batch/read")
LIST = re.compile(r"/crm/objects/2026-09/(\w+)\?archived=true&limit=(\d+)(?:&after=(\w+))?")
ACTIVITIES = ("calls", "meetings", "tasks", "emails", "notes")
MAIN = ("contacts", "companies", "deals")


def strict(api):
    """Returns an API of the client that refuses objects without a required property."""
    api.api_client.configuration.client_side_validation = True
    return api


def client_of(token):
    client = HubSpot(access_token=token, host=URL)
    crm = client.crm
    kinds = {
        name: getattr(crm if name in MAIN else crm.objects, name) for name in (*MAIN, "calls", "meetings", "tasks")
    }
    return crm, kinds | {"emails": crm.objects.emails, "notes": crm.objects.notes}


def search(kinds, kind, body, after=None):
    """Returns the answer to a search of the reader, or to a later page of it."""
    groups = [
        FilterGroup(
            filters=[
                Filter(property_name=one["propertyName"], operator=one["operator"], value=one["value"])
                for one in group["filters"]
            ]
        )
        for group in body["filterGroups"]
    ]
    request = PublicObjectSearchRequest(
        filter_groups=groups, sorts=body["sorts"], properties=body["properties"], limit=body["limit"], after=after
    )
    return strict(kinds[kind].search_api).do_search(request)


class Seen:
    """What the client has seen in one step."""

    def __init__(self):
        self.objects = {}
        self.linked = {}
        self.archived = {}
        self.emails = {}
        self.ends = {}
        self.short = self.partial = self.pages = 0

    def send(self, crm, kinds, request):
        """Sends one request of the reader by the client's own call."""
        path, body = request["path"], request["body"]
        if hit := SEARCH.fullmatch(path):
            self.read_all(kinds, hit[1], body)
        elif hit := ASSOCIATIONS.fullmatch(path):
            inputs = [PublicFetchAssociationsBatchRequest(id=one["id"]) for one in body["inputs"]]
            api = strict(crm.associations.v4.batch_api)
            found = api.get_page(hit[1], hit[2], BatchInputPublicFetchAssociationsBatchRequest(inputs=inputs))
            self.partial += bool(getattr(found, "errors", None))
            ends = {one._from.id: [end.to_object_id for end in one.to] for one in found.results}
            self.linked.setdefault((hit[1], hit[2]), {}).update(ends)
        elif hit := LIST.fullmatch(path):
            found = strict(kinds[hit[1]].basic_api).get_page(archived=True, limit=int(hit[2]), after=hit[3] or None)
            assert all(one.archived and isinstance(one.archived_at, datetime) for one in found.results)
            self.archived.setdefault(hit[1], set()).update(one.id for one in found.results)
            self.ends[hit[1]] = found.paging is None
        else:
            assert path == "/crm/objects/2026-09/contacts/batch/read", path
            inputs = [SimplePublicObjectId(id=one["id"]) for one in body["inputs"]]
            read = BatchReadInputSimplePublicObjectId(inputs=inputs, properties=body["properties"])
            found = strict(kinds["contacts"].batch_api).read(read)
            self.emails.update({one.id: one.properties["email"] for one in found.results})

    def read_all(self, kinds, kind, body):
        """Searches, and follows the client's own pages to the end: a reader that stops too early is noticed."""
        after = None
        while True:
            found = search(kinds, kind, body, after)
            self.pages += 1
            self.short += bool(found.paging) and len(found.results) < body["limit"]
            assert all(isinstance(one.updated_at, datetime) for one in found.results)
            self.objects.setdefault(kind, {}).update({one.id: one.properties for one in found.results})
            if not found.paging:
                return
            after = found.paging.next.after

    def compare(self, read):
        """Checks what the reader has read. Returns the fates."""
        contacts = {(name, "present", "") for name in self.objects.get("contacts", {})}
        contacts |= {
            (lost, "merged", name)
            for name, properties in self.objects.get("contacts", {}).items()
            for lost in filter(None, (properties["hs_merged_object_ids"] or "").split(";"))
        }
        expected = {"contacts": contacts}
        assert all(self.ends.values()), f"a list of archived objects is not read to its end: {self.ends}"
        for kind in ("companies", "deals", "calls", "notes"):
            expected[kind] = {
                (name.removeprefix(f"{kind}-"), "present", "")
                for name, properties in self.objects.get(kind, {}).items()
                if not properties.get("stitchline_note")
            }
        for kind in MAIN:
            expected[f"archived-{kind}"] = {(name, "deleted", "") for name in self.archived.get(kind, ())}
        for kind, rows in expected.items():
            changes = read[kind]["changes"]
            ours = {(one["id"].removeprefix(f"{kind}-"), one["fate"], one["into"]) for one in changes}
            assert ours == rows, (kind, sorted(ours ^ rows)[:5])
        for kind in ("deals", "calls"):
            for one in read[kind]["changes"]:
                people = self.linked.get((kind, "contacts"), {}).get(one["id"].removeprefix(f"{kind}-"), [])
                assert [person["id"] for person in one["people"]] == people, one
                assert [person["email"] for person in one["people"]] == [self.emails[name] for name in people]
        for one in read["deals"]["changes"]:
            company = self.linked.get(("deals", "companies"), {}).get(one["id"], [""])[0]
            assert one["fields"]["company"] == company, one
            properties = self.objects["deals"][one["id"]]
            assert (one["fields"]["outcome"] == "won") == (properties["hs_is_closed_won"] == "true"), one
        return {fate for rows in expected.values() for _, fate, _ in rows}


crm, kinds = client_of("s-1")
fates, short, partial, pages = set(), 0, 0, 0
while (answer := requests.post(f"{URL}/by-hand/next", timeout=60)).status_code == 200:
    step, seen = answer.json(), Seen()
    for request in step["requests"]:
        seen.send(crm, kinds, request)
    fates |= seen.compare(step["read"])
    short, partial, pages = short + seen.short, partial + seen.partial, pages + seen.pages
assert answer.status_code == 204, answer.text
assert fates == {"present", "deleted", "merged"}, fates
assert min(short, partial) > 0, (short, partial)
assert pages > 20, pages


def status_of(call):
    """Returns the status of the error that a call raises; 200 if it raises none."""
    try:
        call()
    except ApiException as error:
        return error.status
    return 200


body = {
    "filterGroups": [{"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": "0"}]}],
    "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}], "properties": ["email"], "limit": 201,
}  # fmt: skip
assert status_of(lambda: search(kinds, "contacts", body)) == 400
assert status_of(lambda: search(client_of("older")[1], "contacts", {**body, "limit": 200})) == 401
