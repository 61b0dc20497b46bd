"""Profiles into files: lines and rows that say the same, whole or not at all."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from pipeline.atomic_file import replacing
from pipeline.export.files import UnknownFormatError, format_of, json_line, write_profiles
from pipeline.export.parquet import SCHEMA, row_of, write_parquet
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.row import ProfileRow
from pipeline.query.profiles import LATEST, export_profiles
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.testing.build import touch
from pipeline.testing.table import MemoryTable

SHIPPED = load_rules()
RULES = compiled(SHIPPED)
START_MS = 1_772_000_000_000


@pytest.fixture
def views() -> list[dict[str, Any]]:
    table: MemoryTable[ProfileRow] = MemoryTable()
    context = {"campaign": {"name": "spring", "source": "news"}, "consent": {"marketing": True}}
    logic = ProfileLogic(RULES, table)
    for name in ("a", "b"):
        bought = touch(
            f"user_id:{name}", event_id="pos/m1", timestamp_ms=START_MS, channel="pos", name="order_completed",
            properties={"order_id": "o1"}, context=context, traits={"address": {"zip": "1", "city": "Ulm"}, "age": 41},
            amount_minor=1999, currency="EUR",
        )  # fmt: skip
        logic.on_batch([(name, bought)], 0)
    return list(export_profiles(sorted(table.rows.items()), RULES, LATEST))


def test_a_line_keeps_the_order_of_fields_and_sorts_what_is_within_them(views):
    one, other = views[0], views[0] | {"traits": dict(reversed(views[0]["traits"].items()))}
    other["traits"]["address"]["value"] = {"city": "Ulm", "zip": "1"}

    assert json_line(one) == json_line(other)
    assert json_line(one).startswith(b'{"profile_id":"a","tenant":"default",')
    assert json_line(one).endswith(b"}\n")
    assert msgspec.json.decode(json_line(one)) == msgspec.json.decode(msgspec.json.encode(one))


def test_parquet_has_a_column_for_every_field_of_a_profile(views):
    assert SCHEMA.names == list(views[0])


def test_a_parquet_row_equals_its_profile(views):
    file = io.BytesIO()

    assert write_parquet(file, views) == 2

    first = parquet.read_table(io.BytesIO(file.getvalue())).to_pylist()[0]
    output = {"timestamp_ms": START_MS, "event_id": "pos/m1", "channel": "pos"}
    assert first["traits"] == [
        {"name": "address", "value": '{"city":"Ulm","zip":"1"}', **output},
        {"name": "age", "value": "41", **output},
    ]
    assert first["first_touch"]["campaign"] == '{"name":"spring","source":"news"}'
    assert first["first_touch"]["referrer"] is None
    assert first["consent"] == [{"purpose": "marketing", "granted": True}]
    money = [
        aggregate
        for aggregate in first["aggregates"]
        if aggregate["currency"] == "EUR" and aggregate["window"] == "lifetime"
    ]
    assert {item["number"] for item in money if item["name"] != "purchases"} == {1999.0}
    purchases = {item["part"]: item for item in money if item["name"] == "purchases"}
    day = START_MS // 86_400_000
    assert msgspec.json.decode(purchases["history"]["text"]) == [[day, 1999, 1]]
    assert purchases["total_minor"]["number"] == 1999
    assert {item["text"] for item in money if item["name"] != "purchases"} == {None}


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [(3, 3, None), (0.5, 0.5, None), ("shoes", None, "shoes"), (True, None, "true"), (None, None, None),
     (["a", 1], None, '["a",1]')],
)  # fmt: skip
def test_an_aggregate_is_a_number_or_a_text(views, value, number, text):
    row = row_of(views[0] | {"aggregates": {"x": {"7d": value}}})

    assert row["aggregates"] == [
        {"name": "x", "window": "7d", "currency": "", "part": "", "number": number, "text": text}
    ]


def test_an_aggregate_of_several_values_is_a_row_for_each(views):
    row = row_of(views[0] | {"aggregates": {"x": {"7d": {"p50": 1, "open": True}}, "y": {"7d": {"EUR": 5, "JPY": 7}}}})

    result = [
        (aggregate["name"], aggregate["currency"], aggregate["part"], aggregate["number"], aggregate["text"])
        for aggregate in row["aggregates"]
    ]
    assert result == [
        ("x", "", "p50", 1, None), ("x", "", "open", None, "true"),
        ("y", "EUR", "", 5, None), ("y", "JPY", "", 7, None),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["p.ndjson", "p.jsonl", "p.parquet", "p.PARQUET"])
def test_equal_profiles_make_equal_files_and_progress_counts_every_profile(views, tmp_path, name):
    steps: Counter[str] = Counter()
    one, other = tmp_path / name, tmp_path / f"other-{name}"

    written = [write_profiles(file, views, format_of(file), lambda: steps.update("x")) for file in (one, other)]

    assert written == [2, 2]
    assert steps["x"] == 4
    assert one.read_bytes() == other.read_bytes()


def test_a_suffix_that_names_no_format_is_refused():
    with pytest.raises(UnknownFormatError, match=r"p\.csv: end the name in \.ndjson"):
        format_of(Path("p.csv"))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "p.ndjson"
    file.write_bytes(b"old")

    def failing():
        yield {"profile_id": "a"}
        message = "no more"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="no more"):
        write_profiles(file, failing(), "ndjson", lambda: None)

    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_new_file_appears_only_when_it_is_whole(tmp_path):
    file = tmp_path / "p.ndjson"

    with replacing(file) as open_file:
        open_file.write(b"new")
        assert not file.exists()

    assert file.read_bytes() == b"new"
