"""What shapes of the event schema, and ways to read and write it, cost: the figures of deploy/adr/0002-event-schema.md.

Run ``python tests/bench/wire_costs.py``. Candidates take turns, so that a busy machine slows all of them; CPU time is
counted, and the median of the rounds printed.
"""

import io
import itertools
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import fastavro
import msgspec

import schemas
from pipeline.avro.event_columns import EventDecoder
from pipeline.avro.wire import Decoder, Encoder
from pipeline.event.avro import from_avro
from pipeline.profile.records import FirstOrLastTouch, ProfileUpdate, Windows

ROUNDS, CALLS = 9, 4_000
PROPERTIES = {"sku": "A-123", "price": 1999, "currency": "EUR", "url": "https://shop.example/p/1?utm_source=x"}
CONTEXT = {"url": "https://shop.example/p/1?utm_source=google&utm_campaign=x", "locale": "de"}
CORE = {
    "tenant": "default", "source": "web", "message_id": "3f2c1a0e-5b7d-4c11-9a55-1234567890ab", "type": "track",
    "event": "product_viewed", "timestamp_ms": 1_790_000_000_000,
}  # fmt: skip
BAGS = {"properties": json.dumps(PROPERTIES), "context": json.dumps(CONTEXT), "traits": "{}"}
PAIR = {
    "type": "record", "name": "Pair",
    "fields": [{"name": "type", "type": "string"}, {"name": "value", "type": "string"}],
}  # fmt: skip
ANY = {"type": "map", "values": ["null", "boolean", "long", "double", "string"]}
FLAT = ["anonymous_id:abc123", "email:a@b.example"]
SHAPES: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "identifiers array<string>": ({"type": "array", "items": "string"}, FLAT, "string", BAGS),
    "identifiers map<string>": (
        {"type": "map", "values": "string"}, {"anonymous_id": "abc123", "email": "a@b.example"}, "string", BAGS,
    ),
    "identifiers map<array<string>>": (
        {"type": "map", "values": {"type": "array", "items": "string"}},
        {"anonymous_id": ["abc123"], "email": ["a@b.example"]}, "string", BAGS,
    ),
    "identifiers array<record>": (
        {"type": "array", "items": PAIR},
        [{"type": "anonymous_id", "value": "abc123"}, {"type": "email", "value": "a@b.example"}], "string", BAGS,
    ),
    "bags map<union> instead of JSON": (
        {"type": "array", "items": "string"}, FLAT, ANY, {"properties": PROPERTIES, "context": CONTEXT, "traits": {}},
    ),
}  # fmt: skip

WINDOWS = {"last_1h": 0, "last_24h": 3, "last_7d": 40, "last_30d": 1999, "last_90d": 29_999, "lifetime": 123_456}
TOUCH = {"timestamp_ms": 1_790_000_000_000, "channel": "web", "name": "page", "campaign": "", "event_id": "web/1"}
UPDATE = {
    "profile_id": "5d41402a-bc4b-5a76-b971-9d911017c592", "tenant": "default", "status": "active", "merged_into": "",
    "version": 17, "as_of_ms": 1_790_000_000_000, "first_seen_ms": 1_780_000_000_000, "last_seen_ms": 1_790_000_000_000,
    "identifiers": [*FLAT, "user_id:7"], "traits": '{"firstName":"Ada"}', "consent": "{}", "grade": "B",
    "aggregates": dict.fromkeys(("page_views", "orders", "revenue.EUR", "opens", "views", "searches"), WINDOWS),
    "scores": {"engagement": 41.5, "fit": 10.0, "lead": 51.5}, "segments": ["active"],
    "first_touch": TOUCH, "last_touch": TOUCH,
}  # fmt: skip
CHANGING = ("as_of_ms", "first_seen_ms", "last_seen_ms", "version")
"""What no two updates of a run share, so that a remembered number does not flatter the result."""


def _updates(encode: Callable[[dict[str, Any]], bytes]) -> Callable[[], object]:
    """Updates of ever other profiles, a third of whose window sums never came before."""
    numbers = itertools.count(20_000)

    def run() -> object:
        n = next(numbers)
        windows = WINDOWS | {"last_90d": n, "lifetime": n * 7}
        fresh = dict.fromkeys(CHANGING, n) | {"aggregates": dict.fromkeys(UPDATE["aggregates"], windows)}
        return encode(UPDATE | fresh)

    return run


def _struct_updates(encode: Callable[[ProfileUpdate], bytes]) -> Callable[[], object]:
    """The same updates as structs, which is what PROFILE publishes."""
    numbers, touch = itertools.count(20_000), FirstOrLastTouch(**TOUCH)
    same = {name: value for name, value in UPDATE.items() if name not in {*CHANGING, "aggregates"}}
    same |= {"first_touch": touch, "last_touch": touch}

    def run() -> object:
        n = next(numbers)
        windows = {name: Windows(0, 3, 40, 1999, n, n * 7) for name in UPDATE["aggregates"]}
        return encode(ProfileUpdate(as_of_ms=n, first_seen_ms=n, last_seen_ms=n, version=n, aggregates=windows, **same))

    return run


def _shape(identifiers: Any, bag: Any) -> schemas.Schema:
    fields = [{"name": name, "type": "long" if name == "timestamp_ms" else "string"} for name in CORE]
    fields.append({"name": "identifiers", "type": identifiers})
    fields += [{"name": name, "type": bag} for name in BAGS]
    return schemas.parsed(json.dumps({"type": "record", "name": "Event", "fields": fields}))


def _reader(schema: schemas.Schema, record: dict[str, Any]) -> Callable[[], object]:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    data, read = out.getvalue(), fastavro.schemaless_reader
    return lambda: read(io.BytesIO(data), schema, None)


def _by_fastavro(schema: schemas.Schema, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    out.write(b"\0\0\0\0\1")
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def _candidates() -> dict[str, Callable[[], object]]:
    result = {
        name: _reader(_shape(identifiers, bag), CORE | {"identifiers": value} | bags)
        for name, (identifiers, value, bag, bags) in SHAPES.items()
    }
    event, schema, number = CORE | {"identifiers": FLAT} | BAGS, schemas.load("event-web"), schemas.own_id("event-web")
    encode, plain, by_hand = Encoder("event-web", number), Decoder("event-web"), EventDecoder("event-web")
    data, bag = encode(event), msgspec.json.Decoder(dict[str, Any]).decode
    resolving = io.BytesIO(data)
    update = schemas.load("profile-update")
    older = schemas.parsed(schemas.text("event-web"))
    return result | {
        "event: fastavro resolving to a reader schema": lambda: (
            resolving.seek(5), fastavro.schemaless_reader(resolving, older, schema),
        ),
        "event: Decoder (fastavro, checks)": lambda: plain(data),
        "event: EventDecoder (by hand)": lambda: by_hand(data),
        "event: EventDecoder (by hand) to an Event": lambda: from_avro("web", by_hand(data)),
        "event: EventDecoder.event, at once": lambda: by_hand.event("web", data),
        "event: its two JSON bags, msgspec": lambda: (bag(event["properties"]), bag(event["context"])),
        "event: fastavro's writer": lambda: _by_fastavro(schema, event),
        "event: Encoder": lambda: encode(event),
        "profile update: building the record": _updates(lambda _: b""),
        "profile update: that, and fastavro's writer": _updates(lambda record: _by_fastavro(update, record)),
        "profile update: that, and Encoder": _updates(Encoder("profile-update", 1)),
        "profile update: building a struct": _struct_updates(lambda _: b""),
        "profile update: that, and Encoder of structs": _struct_updates(Encoder("profile-update", 1, ProfileUpdate)),
    }  # fmt: skip


def main() -> None:
    """Print the median CPU microseconds of every candidate."""
    candidates = _candidates()
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, run in candidates.items():
            begun = time.process_time()
            for _ in range(CALLS):
                run()
            taken[name].append((time.process_time() - begun) / CALLS * 1e6)
    for name, item in taken.items():
        print(f"{name:48}{statistics.median(item):7.2f} us   best {min(item):6.2f}")


if __name__ == "__main__":
    main()
