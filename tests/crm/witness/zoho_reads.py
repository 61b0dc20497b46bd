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


def send(request, seen):
    """Sends one request of the reader by the client's own call. Returns its records, and whether there are more."""
    if request["path"] == "/crm/v8/coql":
        query = request["body"]["select_query"]
        rows, more = rows_of(coql(query))
        stream = MODULES[re.search(r" from (\w+) ", query)[1]]
        for row in rows:
            assert isinstance(row.get_modified_time(), datetime)
            email = row.get_key_value("Contact_Name.Email" if stream == "deals" else "Email")
            seen[stream].add((str(row.get_id()), "present", "", email))
    else:
        module, deleted = LIST.fullmatch(urlsplit(request["path"]).path).groups()
        since = request["headers"]["if-modified-since"]
        rows, more = rows_of(listed(module, request["path"], since, deleted=bool(deleted)))
        for row in rows:
            if deleted:
                assert isinstance(row.get_deleted_time(), datetime)
                seen[f"deleted-{MODULES[module]}"].add((str(row.get_id()), "deleted", "", None))
            else:
                into = str(row.get_key_value("Converted_Contact").get_id())
                seen["converted-leads"].add((str(row.get_id()), "converted", into, row.get_key_value("Email")))
    return rows, more


fates, pages, short = set(), 0, 0
while (answer := requests.post(f"{URL}/by-hand/next", timeout=60)).status_code == 200:
    step = answer.json()
    seen = {stream: set() for stream in step["read"]}
    for request in step["requests"]:
        rows, more = send(request, seen)
        pages += bool(rows)
        short += bool(more) and len(rows) < 200
    for stream, read in step["read"].items():
        ours = {
            (one["id"], one["fate"], one["into"], ((one["people"] or [{}])[0].get("email") or None))
            for one in read["changes"]
        }
        assert ours == seen[stream], (stream, sorted(ours ^ seen[stream])[:5])
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
