import pytest

from pipeline.event.errors import InvalidEventError
from pipeline.event.parse import Defaults, parse_event, to_json

TRACK = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m1",
    "userId": "u1",
    "channel": "pos",
    "timestamp": "2026-03-01T12:00:00Z",
}


def test_a_track_call_becomes_an_event():
    event = parse_event(
        {
            **TRACK,
            "anonymousId": "a1",
            "properties": {"revenue": 10},
            "context": {"ip": "::1"},
            "traits": None,
        }
    )
    assert (event.type, event.name, event.channel, event.event_id) == (
        "track",
        "Order Completed",
        "pos",
        "pos/m1",
    )
    assert event.timestamp_ms == 1772366400000
    assert event.identifiers == ["user_id:u1", "anonymous_id:a1"]
    assert (event.properties, event.context, event.traits) == ({"revenue": 10}, {"ip": "::1"}, {})
    assert (event.tenant, event.amount_minor, event.currency) == ("default", 0, "")


def test_fields_of_the_event_override_defaults_of_the_reader():
    known = Defaults(tenant="acme", source="tills", channel="pos", message_id="till.csv:17")
    bare = {key: value for key, value in TRACK.items() if key not in ("channel", "messageId")}
    event = parse_event(bare, known)
    assert (event.tenant, event.source, event.channel, event.message_id) == (
        "acme", "tills", "pos", "till.csv:17",
    )  # fmt: skip
    event = parse_event({**TRACK, "tenant": "other", "source": "app", "channel": "app"}, known)
    assert (event.tenant, event.source, event.channel, event.message_id) == ("other", "app", "app", "m1")


def test_identifiers_are_merged_once_by_type_with_the_user_first():
    event = parse_event({
        **TRACK,
        "identifiers": {"email": ["a@b.org", "c@d.org", "a@b.org"], "user_id": ["u0", "u1"], "loyalty_id": 77,
                        "phone": None},
        "anonymousId": "",
    })  # fmt: skip
    assert event.identifiers == [
        "user_id:u1", "user_id:u0", "email:a@b.org", "email:c@d.org", "loyalty_id:77",
    ]  # fmt: skip


def test_an_identify_calls_email_and_phone_are_identifiers():
    event = parse_event(
        {
            **TRACK,
            "type": "identify",
            "traits": {"email": "a@b.org", "phone": 4930123, "age": 40},
            "context": {"traits": {"email": "c@d.org"}},
        }
    )
    assert event.identifiers == ["user_id:u1", "email:a@b.org", "email:c@d.org", "phone:4930123"]
    assert event.name == ""


def test_a_track_calls_own_traits_are_not_identifiers_but_its_contexts_are():
    event = parse_event(
        {
            **TRACK,
            "traits": {"email": "a@b.org"},
            "context": {"traits": {"phone": "+491", "email": {}}},
        }
    )
    assert event.identifiers == ["user_id:u1", "phone:+491"]
    assert parse_event({**TRACK, "context": {"traits": "none"}}).identifiers == ["user_id:u1"]


def test_traits_of_a_group_call_are_not_identifiers():
    event = parse_event(
        {
            **TRACK,
            "type": "group",
            "groupId": "g1",
            "traits": {"email": "info@b.org"},
            "context": {"traits": {"email": "x@b.org"}},
        }
    )
    assert event.identifiers == ["user_id:u1", "account_id:g1"]
    assert event.context["groupId"] == "g1"


def test_an_aliass_previous_id_is_an_anonymous_id():
    assert parse_event({**TRACK, "type": "alias", "previousId": "a0"}).identifiers == [
        "user_id:u1", "anonymous_id:a0",
    ]  # fmt: skip


def test_a_page_keeps_its_name_and_category_among_its_properties():
    event = parse_event(
        {
            **TRACK,
            "type": "page",
            "name": "Home",
            "category": "Shop",
            "properties": {"name": "Start"},
        }
    )
    assert event.properties == {"name": "Start", "category": "Shop"}
    assert parse_event({**TRACK, "type": "screen"}).properties == {}


@pytest.mark.parametrize("value", [1772366400000, 1772366400000.0, " 2026-03-01T13:00:00+01:00"])
def test_time_is_iso_text_or_milliseconds(value):
    assert parse_event({**TRACK, "timestamp": value}).timestamp_ms == 1772366400000


@pytest.mark.parametrize(
    "value",
    [
        1772366400, 1772366400.0, "1772366400", "1772366400000", 1772366400000000, "1772366400000000",
        1772366400000000000, "2026-03-01 12:00:00 UTC", "2026-03-01 12:00:00 +0000", "2026-03-01T13:00:00 +01:00",
        "2026-03-01 12:00:00.000 GMT",
    ],
)  # fmt: skip
def test_the_unit_of_a_time_follows_from_its_magnitude_and_its_offset_may_stand_apart(value):
    assert parse_event({**TRACK, "timestamp": value}).timestamp_ms == 1772366400000


@pytest.mark.parametrize(
    "value", [0, 5, -1, 10**8 - 1, 10**10, 10**11 - 1, 10**13, "17723664000", 10**16, "1", "03/04/2026"]
)
def test_a_time_whose_unit_stays_open_is_refused(value):
    with pytest.raises(InvalidEventError, match="timestamp: must be ISO 8601"):
        parse_event({**TRACK, "timestamp": value})


def test_a_device_clock_is_corrected_by_sent_at_and_received_at():
    ahead = {
        "originalTimestamp": "2031-03-01T12:00:00Z",
        "sentAt": "2031-03-01T12:00:05Z",
        "receivedAt": "2026-03-01T12:00:05Z",
    }
    assert parse_event({**TRACK, **ahead, "timestamp": "2031-03-01T12:00:00Z"}).timestamp_ms == 1772366400000
    assert parse_event({**TRACK, **ahead, "timestamp": None}).timestamp_ms == 1772366400000
    without = {**TRACK, **ahead, "sentAt": None}
    assert parse_event(without).timestamp_ms == 1772366400000


def test_the_original_time_stands_in_for_a_missing_one():
    document = {**TRACK, "timestamp": None, "originalTimestamp": "2026-03-01T12:00:00Z"}
    assert parse_event(document).timestamp_ms == 1772366400000


def test_fields_about_the_delivery_are_ignored():
    document = {**TRACK, "integrations": {}, "sentAt": "x", "_metadata": {}, "version": 2}
    assert parse_event(document) == parse_event(TRACK)
    rudder = {"request_ip": "::1", "requestIp": "::1", "rudderId": "r", "writeKey": "w", "receivedAt": "x"}
    assert parse_event({**TRACK, **rudder}) == parse_event(TRACK)


@pytest.mark.parametrize(
    ("word", "context", "channel"),
    [
        ("client", {}, "web"),
        ("browser", {}, "web"),
        ("mobile", {}, "app"),
        ("android-sdk", {}, "app"),
        ("ios", {}, "app"),
        ("server", {}, "web"),
        ("server", {"device": {"id": "d"}}, "app"),
        ("sources", {"page": {"url": "/"}}, "web"),
    ],
)
def test_a_channel_of_another_vocabulary_gives_way_to_source_and_context(word, context, channel):
    event = {**TRACK, "channel": word, "context": context}
    assert parse_event(dict(event)).channel == channel
    assert parse_event(dict(event), Defaults(channel="pos")).channel == "pos"


@pytest.mark.parametrize("bag", ["properties", "context", "traits"])
def test_an_empty_array_is_phps_empty_object(bag):
    assert parse_event({**TRACK, bag: []}) == parse_event(TRACK)


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"type": None}, "type", "must be one of track, identify"),
        ({"type": "purchase"}, "type", "must be one of"),
        ({"type": 5}, "type", "must be a string, not a number"),
        ({"channel": None}, "channel", "must be one of web"),
        ({"channel": "fax"}, "channel", "must be one of web"),
        ({"event": None}, "event", "a track call needs"),
        ({"event": ["x"]}, "event", "must be a string, not an array"),
        ({"messageId": None}, "messageId", "is required"),
        ({"messageId": 1.5}, "messageId", "must be a string or an integer, not a number"),
        ({"userId": True}, "userId", "must be a string or an integer, not a boolean"),
        ({"userId": {}}, "userId", "must be a string or an integer, not an object"),
        ({"tenant": 5}, "tenant", "must be a string"),
        ({"timestamp": None}, "timestamp", "must be ISO 8601"),
        ({"timestamp": "soon"}, "timestamp", "must be ISO 8601"),
        ({"timestamp": True}, "timestamp", "must be ISO 8601"),
        ({"timestamp": 1.5}, "timestamp", "must be ISO 8601"),
        ({"timestamp": float("inf")}, "timestamp", "must be ISO 8601"),
        ({"properties": [1]}, "properties", "must be an object, not an array"),
        ({"context": object()}, "context", "must be an object, not this type"),
        ({"traits": "x"}, "traits", "must be an object, not this type"),
        ({"identifiers": ["a"]}, "identifiers", "must be an object of type to value"),
        ({"identifiers": {"": "a"}}, "identifiers", "a type is a word"),
        ({"identifiers": {"a:b": "a"}}, "identifiers", "a type is a word"),
        ({"identifiers": {"email": [{}]}}, "identifiers.email", "must be a string or an integer"),
        ({"propertys": {}}, "propertys", "unknown field"),
    ],
)
def test_what_is_wrong_is_named_with_its_field(change, field, problem):
    with pytest.raises(InvalidEventError, match=problem) as caught:
        parse_event({**TRACK, **change})
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


def test_an_event_written_as_json_has_no_empty_fields_and_reads_back():
    event = parse_event({**TRACK, "identifiers": {"user_id": ["u1", "u2", "u3"], "email": "a@b.org"}})
    document = to_json(event)
    assert document == {
        "type": "track", "event": "Order Completed", "messageId": "m1", "tenant": "default", "channel": "pos",
        "source": "pos", "timestamp": "2026-03-01T12:00:00.000Z", "userId": "u1",
        "identifiers": {"user_id": ["u2", "u3"], "email": "a@b.org"},
    }  # fmt: skip
    assert parse_event(document) == event


def test_times_beyond_four_digit_years_are_written_in_milliseconds():
    event = parse_event(TRACK)
    event.timestamp_ms = 10**15
    assert to_json(event)["timestamp"] == 10**15
