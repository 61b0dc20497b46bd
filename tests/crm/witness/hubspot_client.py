"""HubSpot's emulator by hubspot-api-client. The client sends version 3 of the paths, so they are rewritten."""

import sys

import hubspot_paths  # noqa: F401  rewrites the paths
from hubspot import HubSpot
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
)
from hubspot.crm.contacts.exceptions import ApiException


def refusal(call, kind):
    """Returns the error that a call raises; None if it raises none."""
    try:
        call()
    except kind as error:
        return error
    return None


client = HubSpot(access_token="s-1", host=sys.argv[1])
batch = client.crm.contacts.batch_api
inputs = [
    {"id": letter * 32, "idProperty": "stitchline_action", "properties": {"email": f"{letter}@shop.example"}}
    for letter in "ab"
]
answer = batch.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
assert [one.new for one in answer.results] == [True, True], answer
again = batch.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
assert [one.new for one in again.results] == [False, False], again
assert [one.id for one in again.results] == [one.id for one in answer.results]
ids = [{"id": one.id} for one in answer.results]
changed = [{**one, "properties": {"firstname": "Ann"}} for one in ids]
updated = batch.update(BatchInputSimplePublicObjectBatchInput(inputs=changed))
assert {one.properties["firstname"] for one in updated.results} == {"Ann"}
read = batch.read(BatchReadInputSimplePublicObjectId(inputs=ids, properties=["firstname"], properties_with_history=[]))
assert {one.properties["firstname"] for one in read.results} == {"Ann"}
names = {one.name for one in client.crm.properties.core_api.get_all("contacts").results}
assert "stitchline_action" in names
bad = BatchInputSimplePublicObjectBatchInput(inputs=[{**ids[0], "properties": {"email": "x@y.invalid"}}])
assert refusal(lambda: batch.update(bad), ApiException).status == 400
client.crm.contacts.basic_api.archive(answer.results[0].id)
