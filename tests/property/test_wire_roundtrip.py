"""Every record of every schema round-trips, and the hand-written event reader equals fastavro, on damaged input too."""

import io
import json

import fastavro
from hypothesis import given
from hypothesis import strategies as st

import schemas
from pipeline.avro.event_columns import EventDecoder
from pipeline.avro.wire import Decoder, Encoder, Undecodable
from pipeline.event.avro import from_avro
from pipeline.event.errors import InvalidEventError

EVENTS = [name for name in schemas.names() if name.startswith("event-")]
ENCODERS = {name: Encoder(name, schemas.own_id(name)) for name in schemas.names()}
DECODERS = {name: Decoder(name) for name in schemas.names()}
BY_HAND = {name: EventDecoder(name) for name in EVENTS}
LONGS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(17_000_000_000, 2_300_000_000_000),
    st.sampled_from([0, 2**34 - 1, 2**34, 2**41 - 1, 2**41, -(2**34), -(2**41), -(2**41) - 1]),
)
LENGTHS = st.sampled_from([0, 1, 62, 63, 64, 65, 8190, 8191, 8192, 8193])
STRINGS = st.one_of(st.text(max_size=20), st.builds(lambda char, n: char * n, st.characters(codec="utf-8"), LENGTHS))


def values(node, named):
    """A strategy for an Avro type; ``named`` collects the records seen so far."""
    if isinstance(node, dict) and node["type"] == "record":
        fields = {field["name"]: values(field["type"], named) for field in node["fields"]}
        return named.setdefault(node["name"], st.fixed_dictionaries(fields))
    if isinstance(node, dict) and node["type"] == "array":
        return st.lists(values(node["items"], named), max_size=4)
    if isinstance(node, dict) and node["type"] == "map":
        return st.dictionaries(st.text(max_size=8), values(node["values"], named), max_size=3)
    if node in named:
        return named[node]
    return {"string": STRINGS, "long": LONGS, "double": st.floats(allow_nan=False)}[node]


BAGS = st.dictionaries(
    st.text(max_size=4), st.none() | st.integers() | st.text(max_size=9) | st.lists(st.booleans()), max_size=4
).map(lambda bag: json.dumps(bag, ensure_ascii=False))
"""JSON objects, some with numbers beyond 64 bits and some whose text no UTF-8 can hold once it is damaged."""
VALUES = {name: values(schemas.load(name), {}) for name in schemas.names()}


def records(names):
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))


def outcome(decode, data):
    try:
        return decode(data)
    except Undecodable:
        return "undecodable"


def event_or_fault(read, data):
    try:
        return read(data)
    except (Undecodable, InvalidEventError) as fault:
        return f"{type(fault).__name__}: {fault}"


# As for all but the first record of a worker's life, the writer's schema is known before any example is read.
for name, decode in BY_HAND.items():
    decode(ENCODERS[name]({"message_id": "", "timestamp_ms": 0}))


@given(records(schemas.names()))
def test_every_record_of_every_schema_comes_back(case):
    name, record = case
    assert DECODERS[name](ENCODERS[name](record)) == record


@given(records(schemas.names()), st.data())
def test_what_is_written_is_what_fastavro_writes_also_where_fields_are_left_to_their_defaults(case, data):
    name, record = case
    optional = [field["name"] for field in schemas.load(name)["fields"] if "default" in field]
    for field in data.draw(st.sets(st.sampled_from(optional)), label="left out"):
        del record[field]
    out = io.BytesIO(schemas.own_id(name).to_bytes(5, "big"))
    out.seek(5)
    fastavro.schemaless_writer(out, schemas.load(name), record)
    assert ENCODERS[name](record) == out.getvalue()


@given(records(EVENTS))
def test_an_event_read_by_hand_comes_back_in_every_size(case):
    name, record = case
    assert BY_HAND[name](ENCODERS[name](record)) == record


@given(st.lists(st.text(max_size=70), min_size=60, max_size=70))
def test_an_event_with_very_many_identifiers_comes_back(identifiers):
    record = {"message_id": "m", "timestamp_ms": 1_790_000_000_000, "identifiers": identifiers}
    assert BY_HAND["event-web"](ENCODERS["event-web"](record))["identifiers"] == identifiers


@given(records(EVENTS), st.data())
def test_damaged_events_are_to_the_hand_what_they_are_to_fastavro(case, data):
    name, record = case
    good = ENCODERS[name](record)
    start = data.draw(st.integers(5, len(good)), label="start")
    end = data.draw(st.integers(start, min(len(good), start + 3)), label="end")
    damaged = good[:start] + data.draw(st.binary(max_size=4), label="instead") + good[end:]
    assert outcome(BY_HAND[name], damaged) == outcome(DECODERS[name], damaged)


@given(
    records(EVENTS),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("properties", "context", "traits"), BAGS)),
    st.data(),
)
def test_an_event_read_at_once_is_the_event_of_the_record_fastavro_reads_damaged_or_not(case, bags, data):
    name, record = case
    good = ENCODERS[name](record | bags)
    start = data.draw(st.integers(5, len(good)), label="start")
    end = data.draw(st.integers(start, min(len(good), start + 2)), label="end")
    damaged = good[:start] + data.draw(st.binary(max_size=3), label="instead") + good[end:]
    for item in (good, damaged):
        by_fastavro = event_or_fault(lambda value: from_avro("web", DECODERS[name](value)), item)
        assert event_or_fault(lambda value: BY_HAND[name].event("web", value), item) == by_fastavro


@given(st.sampled_from(schemas.names()), st.binary(max_size=200))
def test_noise_after_a_good_header_is_a_record_or_undecodable(name, noise):
    data = schemas.own_id(name).to_bytes(5, "big") + noise
    expected = outcome(DECODERS[name], data)
    assert outcome(BY_HAND.get(name, DECODERS[name]), data) == expected
