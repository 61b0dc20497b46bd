import pytest

from pipeline.event.avro import from_avro, to_avro
from pipeline.event.errors import InvalidEventError
from pipeline.event.parse import parse_event

EVENT = parse_event({
    "type": "track", "event": "Viewed", "messageId": "m1", "userId": "u1", "channel": "web", "timestamp": 1772366400005,
    "properties": {"sku": "é", "price": 1.5}, "context": {"ip": None}, "traits": {"tags": [1, {"a": True}]},
})  # fmt: skip


def test_a_record_holds_plain_values_and_json_text():
    assert to_avro(EVENT) == {
        "tenant": "default", "source": "web", "message_id": "m1", "type": "track", "event": "Viewed",
        "timestamp_ms": 1772366400005,
        "identifiers": ["user_id:u1"], "properties": '{"sku":"é","price":1.5}', "context": '{"ip":null}',
        "traits": '{"tags":[1,{"a":true}]}',
    }  # fmt: skip
    assert from_avro("web", to_avro(EVENT)) == EVENT


def test_empty_bags_are_not_shared_between_events():
    record = {**to_avro(EVENT), "properties": "{}", "context": "{}", "traits": "{}"}
    first, second = from_avro("web", record), from_avro("web", record)
    first.properties["a"] = first.context["a"] = first.traits["a"] = 1
    assert (second.properties, second.context, second.traits) == ({}, {}, {})
    assert to_avro(second) == record


@pytest.mark.parametrize("field", ["properties", "context", "traits"])
@pytest.mark.parametrize("text", ["", "[1]", "{", '{"a":1}}', '{"a":NaN,}', '{"a":' + "[" * 20_000])
def test_a_bag_that_is_not_a_json_object_is_named(field, text):
    with pytest.raises(InvalidEventError, match=f"^{field}: must be the text of a JSON object$"):
        from_avro("web", {**to_avro(EVENT), field: text})
