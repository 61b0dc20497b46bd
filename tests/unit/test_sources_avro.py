import gzip
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import fastavro
import pytest

from connectors.sources.avro import AvroSource
from connectors.sources.choose import derived_message_id, source_for
from connectors.sources.mapping import Mapping, Timestamp
from connectors.sources.record import Position, Record
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

SCHEMA = {
    "type": "record",
    "name": "E",
    "fields": [
        {"name": "message_id", "type": "string"},
        {"name": "timestamp_ms", "type": "long"},
        {"name": "identifiers", "type": {"type": "array", "items": "string"}},
        {"name": "properties", "type": "string"},
        {"name": "tenant", "type": ["null", "string"]},
    ],
}


def container(count: int, codec: str = "deflate") -> bytes:
    data = BytesIO()
    datums = [
        {
            "message_id": f"m{n}",
            "timestamp_ms": n,
            "identifiers": ["email:a@b.c", "email:d@e.f", "user_id:x:1"],
            "properties": '{"n":1}',
            "tenant": None,
        }
        for n in range(count)
    ]
    fastavro.writer(data, fastavro.parse_schema(SCHEMA), datums, codec=codec, sync_interval=200)
    return data.getvalue()


def read(path: Path, start: Position = Position()) -> list[Record]:  # noqa: B008 - frozen
    return list(AvroSource(path).records(start))


def test_records_in_the_topics_schema_become_segment_events(tmp_path):
    path = tmp_path / "events.avro"
    path.write_bytes(container(1))

    (record,) = source_for(path).records(Position())

    assert record.number == 1
    assert record.payload == {
        "messageId": "m0",
        "timestamp": "1970-01-01T00:00:00.000Z",
        "identifiers": {"email": ["a@b.c", "d@e.f"], "user_id": ["x:1"]},
        "properties": {"n": 1},
    }
    assert fastavro.schemaless_reader(BytesIO(record.raw), SCHEMA, None)["message_id"] == "m0"


@pytest.mark.parametrize("packed", [False, True])
def test_reading_goes_on_from_any_record_within_and_between_blocks(tmp_path, packed):
    path = tmp_path / "events.avro"
    path.write_bytes(gzip.compress(container(40)) if packed else container(40))
    whole = read(path)

    assert [record.payload["messageId"] for record in whole] == [f"m{n}" for n in range(40)]
    for done, record in enumerate(whole, 1):
        assert read(path, record.after) == whole[done:]


def test_damage_inside_a_block_costs_the_rest_of_that_block_only(tmp_path):
    data = bytearray(container(40, codec="null"))
    place = data.index(b"m20") - 1
    data[place : place + 1] = b"\xff"
    path = tmp_path / "events.avro"
    path.write_bytes(data)

    records = read(path)
    bad = [record for record in records if isinstance(record.payload, Rejected)]
    good = [record.payload["messageId"] for record in records if isinstance(record.payload, dict)]

    assert len(bad) == 1
    assert bad[0].number == 21
    assert bad[0].payload.reason is Reason.UNDECODABLE
    lost = int(bad[0].payload.detail.rsplit("with it ")[1].split()[0]) + 1
    assert len(good) + lost == 40
    assert good[-1] == "m39"


def test_a_container_that_ends_early_gives_what_it_holds_and_one_reject(tmp_path):
    path = tmp_path / "events.avro"
    path.write_bytes(container(40)[:-20])

    *good, last = read(path)

    assert isinstance(last.payload, Rejected)
    assert "damaged after byte" in last.payload.detail
    assert [record.payload["messageId"] for record in good] == [f"m{n}" for n in range(len(good))]
    assert good


def test_properties_that_are_not_json_reject_the_record(tmp_path):
    data = BytesIO()
    datum = {"message_id": "m", "timestamp_ms": 1, "identifiers": [], "properties": "{", "tenant": "t"}
    fastavro.writer(data, fastavro.parse_schema(SCHEMA), [datum])
    path = tmp_path / "events.avro"
    path.write_bytes(data.getvalue())

    (bad,) = read(path)

    assert isinstance(bad.payload, Rejected)
    assert bad.payload.reason is Reason.INVALID_FIELD


def test_any_record_can_be_mapped_and_logical_types_become_json(tmp_path):
    schema = fastavro.parse_schema(
        {
            "type": "record",
            "name": "Sale",
            "fields": [
                {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                {"name": "card", "type": "long"},
                {"name": "shop", "type": "string"},
            ],
        }
    )
    data = BytesIO()
    sold = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    fastavro.writer(data, schema, [{"at": sold, "card": 4711, "shop": "x"}])
    path = tmp_path / "sales.avro"
    path.write_bytes(data.getvalue())
    mapping = Mapping(
        timestamp=Timestamp("at"), identifiers={"loyalty_id": "card"}, columns={"shop": "properties.shop"}
    )

    (record,) = source_for(path, mapping).records(Position())

    assert record.payload == {
        "timestamp": int(sold.timestamp() * 1000),
        "identifiers": {"loyalty_id": "4711"},
        "properties": {"shop": "x"},
    }


def test_a_made_message_id_depends_on_file_place_and_content_alone():
    made = derived_message_id("a.csv", 7, b"row")

    assert made == derived_message_id("a.csv", 7, b"row")
    assert len({made, derived_message_id("b.csv", 7, b"row"), derived_message_id("a.csv", 8, b"row"),
                derived_message_id("a.csv", 7, b"other")}) == 4  # fmt: skip
