import io
import json
import random

import fastavro
import pytest

import schemas
from pipeline.avro.event_columns import COLUMNS, EventDecoder
from pipeline.avro.wire import Decoder, Encoder, Undecodable, head, schema_id
from pipeline.avro.writer import write_for

EVENT = {
    "tenant": "default",
    "source": "shop-web",
    "message_id": "3f2c1a0e-5b7d-4c11-9a55-1234567890ab",
    "type": "track",
    "event": "product_viewed",
    "timestamp_ms": 1_790_000_000_000,
    "identifiers": ["anonymous_id:abc123", "email:jürgen@shop.example"],
    "properties": json.dumps({"sku": "A-123", "price": 19.99, "currency": "EUR", "title": "Tee, grün, 500 g, im Glas"}),
    "context": json.dumps({"page": {"url": "https://shop.example/p/1?utm_source=news&utm_campaign=autumn"}}),
    "traits": "{}",
}
WEB = schemas.own_id("event-web")
RECORDS = {
    "event-web": EVENT,
    "profile-update": {
        "profile_id": "p-1",
        "identifiers": ["user_id:7", "email:a@b.example"],
        "aggregates": {
            "orders": dict.fromkeys(("last_1h", "last_24h", "last_7d", "last_30d", "last_90d", "lifetime"), 3)
        },
        "scores": {"engagement": 41.5},
        "last_touch": {"timestamp_ms": 5, "channel": "web", "name": "x", "campaign": "", "event_id": "web/1"},
    },
    "identity-change": {"seq": 9, "change": "merged", "profile_id": "p-1", "other_profile_id": "p-2"},
    "segment-change": {"event_id": "e", "segment": "lapsed", "change": "entered", "timestamp_ms": 5},
    "crm-action": {
        "action_id": "a-1",
        "score": 71.25,
        "contributions": [{"rule": "visits", "group": "web", "points": 40.0, "occurrences": 8}],
        "contact": {"email": "a@b.example"},
        "timeline": [
            {"timestamp_ms": 5, "channel": "web", "type": "page", "name": "", "event_id": "w/1", "summary": "Home"}
        ],
    },
}
DECODERS = {name: EventDecoder(name) if name.startswith("event-") else Decoder(name) for name in RECORDS}


def encoded(name):
    return Encoder(name, schemas.own_id(name))(RECORDS[name])


def written_with(schema_text, number, record):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schemas.parsed(schema_text), record)
    return head(number) + out.getvalue()


def changed(name, change):
    document = json.loads(schemas.text(name))
    change(document)
    return json.dumps(document)


def test_the_header_is_a_zero_byte_and_the_id_big_endian():
    assert head(0x01020304) == b"\x00\x01\x02\x03\x04"
    assert schema_id(b"\x00\x01\x02\x03\x04rest") == 0x01020304
    assert encoded("event-web")[:5] == head(WEB)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_comes_back_with_its_defaults_filled_in(name):
    record = DECODERS[name](encoded(name))
    assert set(record) == {field["name"] for field in schemas.load(name)["fields"]}
    assert {key: record[key] for key in RECORDS[name]} == RECORDS[name]


def test_an_event_by_hand_and_by_fastavro_are_the_same_and_in_the_same_order():
    data = encoded("event-web")
    decode = EventDecoder("event-web")
    first, second = decode(data), decode(data)  # the first use of an id goes through fastavro
    assert first == second == EVENT
    assert tuple(second) == COLUMNS


def test_a_record_that_does_not_fit_the_schema_is_refused_and_leaves_the_encoder_usable():
    encode = Encoder("event-web", WEB)
    with pytest.raises(ValueError, match="message_id"):
        encode({"timestamp_ms": 1})
    wrongs = (
        {"timestamp_ms": "soon"},
        {"timestamp_ms": 1.5},
        {"timestamp_ms": 2**63},
        {"source": 7},
        {"source": "\ud800"},
    )
    for wrong in wrongs:
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is missing or does not fit"):
            encode(EVENT | wrong)
    assert DECODERS["event-web"](encode(EVENT)) == EVENT


def test_a_nested_field_that_is_missing_takes_its_default():
    record = {"aggregates": {"orders": {"lifetime": 3}}, "first_touch": {"channel": "web"}}
    result = DECODERS["profile-update"](Encoder("profile-update", schemas.own_id("profile-update"))(record))
    assert result["aggregates"]["orders"] == dict.fromkeys(result["aggregates"]["orders"], 0) | {"lifetime": 3}
    assert result["first_touch"]["channel"] == "web"


@pytest.mark.parametrize("counts", [{"last_1h": "many"}, {"last_1h": -(2**63) - 1}, 3, None])
def test_a_nested_value_that_does_not_fit_is_named_by_its_field(counts):
    with pytest.raises(ValueError, match=r"^aggregates is missing or does not fit"):
        Encoder("profile-update", 1)({"aggregates": {"orders": counts}})
    with pytest.raises(ValueError, match="scores is missing or does not fit"):
        Encoder("profile-update", 1)({"scores": {"fit": "high"}})


@pytest.mark.parametrize("schema", ["bytes", ["null", "string"], {"type": "enum", "name": "E", "symbols": ["A"]}])
def test_a_type_that_is_not_written_by_hand_is_refused_when_the_encoder_is_made(schema):
    with pytest.raises(ValueError, match="there is no writer for the Avro type"):
        write_for(schema)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_cut_short_anywhere_is_undecodable(name):
    data = encoded(name)
    for length in range(len(data)):
        with pytest.raises(Undecodable):
            DECODERS[name](data[:length])


@pytest.mark.parametrize("name", RECORDS)
def test_bytes_left_over_after_the_record_are_undecodable(name):
    with pytest.raises(Undecodable, match="3 bytes follow the record"):
        DECODERS[name](encoded(name) + b"\x00\x00\x00")


@pytest.mark.parametrize("name", RECORDS)
def test_a_flipped_bit_gives_a_record_or_undecodable_and_never_another_error(name):
    data = encoded(name)
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            try:
                record = DECODERS[name](bytes(damaged))
            except Undecodable:
                continue
            assert set(record) == {field["name"] for field in schemas.load(name)["fields"]}


@pytest.mark.parametrize("name", RECORDS)
def test_a_megabyte_of_noise_is_undecodable_with_and_without_a_good_header(name):
    noise = random.Random(7).randbytes(1 << 20)
    for data in (
        noise,
        b"\x00" + noise,
        head(schemas.own_id(name)) + noise,
        head(schemas.own_id(name)) + b"\x80" * 100,
    ):
        with pytest.raises(Undecodable):
            DECODERS[name](data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "no value"),
        (b"", "0 bytes are too short"),
        (b"\x00\x00", "2 bytes are too short"),
        (b'{"event": 1}', "begins with byte 123, not with the magic byte 0"),
        (head(4) + b"\x00", "no schema has id 4"),
        (head(WEB), "ends in the middle of a field"),
        (head(WEB) + b"\x04\xff\xff", "a string is not UTF-8"),
        (head(WEB) + b"\x03ab", "ends in the middle of a field"),
        (head(schemas.own_id("event-pos")), "belongs to io.stitchline.v1.PosEvent, not to io.stitchline.v1.WebEvent"),
    ],
)
def test_undecodable_names_the_fault(data, says):
    for decode in (EventDecoder("event-web"), Decoder("event-web")):
        with pytest.raises(Undecodable, match=says):
            decode(data)


def test_what_is_wrong_never_quotes_the_record():
    data = encoded("event-web").replace("jürgen".encode(), b"\xff\xffrgen.")
    with pytest.raises(Undecodable) as caught:
        DECODERS["event-web"](data)
    assert "rgen" not in str(caught.value)


def test_an_older_or_newer_writer_is_resolved_to_the_fields_known_here():
    older = changed("event-web", lambda s: s["fields"].pop(9))
    newer = changed(
        "event-web", lambda s: s["fields"].insert(0, {"name": "trace", "type": "string", "doc": "", "default": ""})
    )
    decode = EventDecoder("event-web", {7: older, 8: newer}.get)
    without_traits = {key: value for key, value in EVENT.items() if key != "traits"}
    assert decode(written_with(older, 7, without_traits)) == EVENT | {"traits": "{ }"}
    assert decode(written_with(newer, 8, EVENT | {"trace": "t"})) == EVENT


def test_a_writer_that_differs_in_documentation_alone_is_read_the_fast_way():
    other = changed("event-web", lambda s: s.update(doc="As the producer's team describes it."))
    decode = EventDecoder("event-web", {7: other}.get)
    data = written_with(other, 7, EVENT)
    assert decode(data) == decode(data) == EVENT


def test_the_schema_of_a_writer_is_fetched_once_whether_it_exists_or_not():
    requested = []

    def writer(number):
        requested.append(number)
        return schemas.text("event-web") if number == 7 else None

    decode = EventDecoder("event-web", writer)
    for _ in range(3):
        decode(written_with(schemas.text("event-web"), 7, EVENT))
        with pytest.raises(Undecodable, match="no schema has id 8"):
            decode(head(8) + b"anything")
    assert requested == [7, 8]


def test_an_id_that_belongs_to_something_else_than_a_record_is_undecodable():
    decode = Decoder("event-web", {7: '"string"', 8: "{"}.get)
    for number in (7, 8):
        with pytest.raises(Undecodable, match=f"schema id {number} is not the id of an Avro record"):
            decode(head(number) + b"\x02a")


def test_a_registry_that_is_away_does_not_make_good_bytes_undecodable():
    def away(_):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        EventDecoder("event-web", away)(encoded("event-web"))


def test_columns_are_only_read_by_hand_from_a_schema_that_has_them():
    with pytest.raises(ValueError, match="crm-action does not have the columns tenant, source"):
        EventDecoder("crm-action")
