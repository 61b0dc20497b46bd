"""Zoho's changes by zohocrmsdk8-0: each request of the reader returns the same records to the client."""

import re
import sys
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import requests
import zoho_start  # noqa: F401  the login
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.coql import APIException, BodyWrapper, CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.record import (
    GetDeletedRecordsHeader,
    GetDeletedRecordsParam,
    GetRecordsHeader,
    GetRecordsParam,
    RecordOperations,
)

URL = sys.argv[1]
LIST = re.compile(r"/crm/v8/(\w+?)(/deleted)?")
MODULES = {"Leads": "leads", "Contacts": "contacts", "Accounts": "companies", "Deals": "deals"}


def coql(query):
    """Returns the client's answer to a query."""
    body = BodyWrapper()
    body.set_select_query(query)
    return CoqlOperations().get_records(body)


def listed(module, path, since, *, deleted):
    """Returns the client's answer to a list."""
    names = GetDeletedRecordsParam if deleted else GetRecordsParam
    header = GetDeletedRecordsHeader if deleted else GetRecordsHeader
    parameters, headers = ParameterMap(), HeaderMap()
    for name, (value,) in parse_qs(urlsplit(path).query).items():
        parameters.add(getattr(names, name), int(value) if value.isdecimal() else value)
    headers.add(header.if_modified_since, datetime.fromisoformat(since))
    operations = RecordOperations(module)
    return (operations.get_deleted_records if deleted else operations.get_records)(parameters, headers)


def rows_of(answer):
    """Returns the records of an answer; none if it has no content. ``info`` states whether there are more."""
    if answer.get_status_code() == 204:
        return [], False
    assert answer.get_status_code() == 200, answer.get_object()
    wrapper = answer.get_object()
    return wrapper.get_data(), wrapper.get_info().get_more_records()


class Seen:
    """What the client has seen in one step. It reads each answer on to its end, so that it notices a short reader."""

    def __init__(self, streams):
        self.records = {stream: set() for stream in streams}
        self.pages = self.short = 0

    def send(self, request):
        """Sends one request of the reader by the client's own call."""
        if request["path"] == "/crm/v8/coql":
            self.query(request["body"]["select_query"])
        else:
            module, deleted = LIST.fullmatch(urlsplit(request["path"]).path).groups()
            self.list(module, request["path"], request["headers"]["if-modified-since"], deleted=bool(deleted))

    def query(self, text):
        stream, offset, more = MODULES[re.search(r" from (\w+) ", text)[1]], 0, True
        while more:
            rows, more = self.counted(rows_of(coql(f"{text} offset {offset}" if offset else text)))
            offset += len(rows)
            for row in rows:
                assert isinstance(row.get_modified_time(), datetime)
                email = row.get_key_value("Contact_Name.Email" if stream == "deals" else "Email")
                self.records[stream].add((str(row.get_id()), "present", "", email))

    def list(self, module, path, since, *, deleted):
        number, more = int(re.search(r"&page=(\d+)", path)[1]), True
        while more:
            page = re.sub(r"&page=\d+", f"&page={number}", path)
            rows, more = self.counted(rows_of(listed(module, page, since, deleted=deleted)))
            number += 1
            for row in rows:
                if deleted:
                    assert isinstance(row.get_deleted_time(), datetime)
                    self.records[f"deleted-{MODULES[module]}"].add((str(row.get_id()), "deleted", "", None))
                else:
                    into, email = row.get_key_value("Converted_Contact").get_id(), row.get_key_value("Email")
                    self.records["converted-leads"].add((str(row.get_id()), "converted", str(into), email))

    def counted(self, answer):
        """Counts an answer with records, and one that is shorter than its limit."""
        rows, more = answer
        self.pages += bool(rows)
        self.short += bool(more) and len(rows) < 200
        return answer


fates, pages, short = set(), 0, 0
while (answer := requests.post(f"{URL}/by-hand/next", timeout=60)).status_code == 200:
    step = answer.json()
    seen = Seen(step["read"])
    for request in step["requests"]:
        seen.send(request)
    pages, short = pages + seen.pages, short + seen.short
    for stream, read in step["read"].items():
        ours = {
            (one["id"], one["fate"], one["into"], ((one["people"] or [{}])[0].get("email") or None))
            for one in read["changes"]
        }
        assert ours == seen.records[stream], (stream, sorted(ours ^ seen.records[stream])[:5])
        fates |= {fate for _, fate, _, _ in ours}
assert answer.status_code == 204, answer.text
assert fates == {"present", "deleted", "converted"}, fates
assert pages > 12, pages
assert short > 4, short

window = "Modified_Time between '2026-01-01T00:00:00+00:00' and '2026-01-02T00:00:00+00:00'"
unknown = f"select id, Titel from Leads where {window} order by id asc limit 200"
for broken, code in (("select id from Leads order by", "SYNTAX_ERROR"), (unknown, "INVALID_QUERY")):
    refused = coql(broken).get_object()
    assert isinstance(refused, APIException), refused
    assert refused.get_code().get_value() == code, refused.get_code()
