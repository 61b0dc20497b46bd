"""Salesforce's emulator by simple-salesforce: client credentials, upsert, query, read, update, describe, delete."""

import sys

import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest, SalesforceResourceNotFound


class Loopback(requests.adapters.HTTPAdapter):
    """The client knows https only: sends its requests to the emulator."""

    def send(self, request, **options):
        path = request.url.split("/", 3)[3]
        request.url = f"{sys.argv[1]}/{path}"
        return super().send(request, **options)


def refusal(call, kind):
    """Returns the error that a call raises; None if it raises none."""
    try:
        call()
    except kind as error:
        return error
    return None


session = requests.Session()
session.mount("https://", Loopback())
client = Salesforce(
    consumer_key="consumer-key", consumer_secret="s-1", domain="shop.my", session=session, version="67.0"
)  # fmt: skip
key = "Stitchline_Action__c/" + "a" * 32
fields = {"LastName": "Lee", "Company": "Shop", "Stitchline_Score__c": 71.5, "Stitchline_Revision__c": 1}
assert client.Lead.upsert(key, fields) == 201
assert client.Lead.upsert(key, {"Stitchline_Score__c": 80.0}) in {200, 204}
found = client.query(f"SELECT Id, LastName, Stitchline_Score__c FROM Lead WHERE Stitchline_Action__c = '{'a' * 32}'")
assert found["totalSize"] == 1, found
(record,) = found["records"]
assert (record["LastName"], record["Stitchline_Score__c"]) == ("Lee", 80.0), record
assert client.Lead.update(record["Id"], {"FirstName": "Ann"}) == 204
assert client.Lead.get(record["Id"])["FirstName"] == "Ann"
names = {field["name"] for field in client.Lead.describe()["fields"]}
assert "Stitchline_Action__c" in names
refused = refusal(lambda: client.Lead.create({"LastName": "Without a company"}), SalesforceMalformedRequest)
assert refused.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING", refused.content
collection = [
    {"attributes": {"type": "Lead"}, "Stitchline_Action__c": letter * 32, **fields} for letter in "abc"
] + [{"attributes": {"type": "Lead"}, "Stitchline_Action__c": "d" * 32, "LastName": "Lee"}]  # fmt: skip
results = client.restful(
    "composite/sobjects/Lead/Stitchline_Action__c", method="PATCH", json={"allOrNone": False, "records": collection}
)
assert [one["success"] for one in results] == [True, True, True, False], results
assert [one.get("created") for one in results][:3] == [False, True, True], results
task = client.Task.create({"WhoId": record["Id"], "Subject": "Stitchline lead", "Status": "Completed"})
assert task["success"], task
assert client.Lead.delete(record["Id"]) == 204
assert refusal(lambda: client.Lead.get(record["Id"]), SalesforceResourceNotFound)
