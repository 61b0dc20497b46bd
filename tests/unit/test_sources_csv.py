import gzip
from pathlib import Path

import pytest

from connectors.sources.choose import UnknownFormatError, source_for
from connectors.sources.delimited import CsvSource, MissingColumnsError
from connectors.sources.mapping import Mapping, MappingError, Target, Timestamp
from connectors.sources.mapping_file import load_mapping
from connectors.sources.record import Position, Record
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

TILL = """
timestamp: {column: sold_at, format: "%d.%m.%Y %H:%M", timezone: Europe/Berlin}
identifiers: {loyalty_id: card, email: mail}
message_id: receipt
constants: {channel: pos, type: track, event: order_completed, context.till: 7}
columns:
  total: {to: properties.total, as: number}
  items: {to: properties.quantity, as: integer}
  shop: properties.shop
  gift: {to: properties.gift, as: boolean}
"""
HEADER = "receipt,sold_at,card,mail,total,items,shop,gift\n"


@pytest.fixture
def till(tmp_path: Path) -> Mapping:
    path = tmp_path / "till.yaml"
    path.write_text(TILL)
    return load_mapping(path)


def read(path: Path, mapping: Mapping, start: Position = Position()) -> list[Record]:  # noqa: B008 - frozen
    return list(CsvSource(path, mapping).records(start))


def test_a_row_becomes_an_event_by_the_mapping(tmp_path, till):
    path = tmp_path / "till.csv"
    path.write_text(HEADER + 'R1,01.07.2026 12:30,4711,,19.90,2,"Main St, 5",yes\n')

    (record,) = read(path, till)

    assert record.number == 2
    assert record.payload == {
        "channel": "pos",
        "type": "track",
        "event": "order_completed",
        "context": {"till": 7},
        "messageId": "R1",
        "timestamp": 1_782_901_800_000,
        "identifiers": {"loyalty_id": "4711"},
        "properties": {"total": 19.9, "quantity": 2, "shop": "Main St, 5", "gift": True},
    }


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        ("R1,01.07.2026 12:30,4711,,much,2,x,yes", Reason.INVALID_FIELD, "column total: not a number"),
        ("R1,01.07.2026 12:30,4711,,1,2.5,x,yes", Reason.INVALID_FIELD, "column items: not a whole number"),
        ("R1,01.07.2026 12:30,4711,,1,2,x,maybe", Reason.INVALID_FIELD, "column gift: not one of"),
        ("R1,2026-07-01,4711,,1,2,x,no", Reason.INVALID_FIELD, "column sold_at: not a time as %d.%m.%Y"),
        ("R1,,4711,,1,2,x,no", Reason.INVALID_FIELD, "column sold_at"),
        ("R1,01.07.2026 12:30,4711", Reason.INVALID_FIELD, "3 cells where the header has 8"),
        ('R1,"01.07.2026" 12:30,4711,,1,2,x,no', Reason.UNDECODABLE, "not CSV"),
        ('R1,"01.07.2026,4711,,1,2,x,no', Reason.UNDECODABLE, "a quote is opened and never closed"),
    ],
)
def test_a_bad_row_is_rejected_and_the_rows_after_it_are_read(tmp_path, till, row, reason, detail):
    path = tmp_path / "till.csv"
    path.write_text(HEADER + row + "\n" + "R2,01.07.2026 12:30,4711,,1,2,x,no\n" * 3)

    bad, *good = read(path, till)

    assert isinstance(bad.payload, Rejected)
    assert (bad.number, bad.raw, bad.payload.reason) == (2, row.encode(), reason)
    assert detail in bad.payload.detail
    assert [record.number for record in good] == [3, 4, 5]
    assert not any(isinstance(record.payload, Rejected) for record in good)


def test_a_row_that_is_not_utf8_is_rejected_byte_identical(tmp_path, till):
    path = tmp_path / "till.csv"
    path.write_bytes(HEADER.encode() + b"R1,01.07.2026 12:30,4711,,1,2,caf\xe9,no\n")

    (bad,) = read(path, till)

    assert isinstance(bad.payload, Rejected)
    assert bad.payload.reason is Reason.UNDECODABLE
    assert bad.raw.endswith(b"caf\xe9,no")


@pytest.mark.parametrize("packed", [False, True])
def test_reading_goes_on_from_any_row_also_over_cells_with_line_ends(tmp_path, till, packed):
    body = HEADER + "".join(f'R{n},01.07.2026 12:30,{n},,1,2,"two\nlines",no\n' for n in range(30))
    path = tmp_path / "till.csv"
    path.write_bytes(gzip.compress(body.encode()) if packed else body.encode())
    whole = read(path, till)

    assert [record.number for record in whole] == list(range(2, 62, 2))
    assert all(record.payload["properties"]["shop"] == "two\nlines" for record in whole)
    for done, record in enumerate(whole, 1):
        assert read(path, till, record.after) == whole[done:]


def test_columns_set_by_runs_of_blanks_and_named_by_the_mapping(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(" 00001 19970101  1   11.77\n")
    mapping = Mapping(
        timestamp=Timestamp("day", "%Y%m%d"),
        identifiers={"user_id": "customer"},
        columns={"dollars": Target("properties.total", "number")},
        names=["customer", "day", "count", "dollars"],
        delimiter="whitespace",
    )

    (record,) = read(path, mapping)

    assert record.payload == {
        "identifiers": {"user_id": "00001"},
        "timestamp": 852_076_800_000,
        "properties": {"total": 11.77},
    }


def test_a_file_without_the_mapped_columns_is_refused_by_name(tmp_path, till):
    path = tmp_path / "till.csv"
    path.write_text("receipt,sold_at\nR1,x\n")

    with pytest.raises(MissingColumnsError, match="no column card, gift, items, mail, shop, total"):
        read(path, till)


def test_a_table_without_a_mapping_is_refused(tmp_path):
    path = tmp_path / "till.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n"))

    with pytest.raises(UnknownFormatError, match="--mapping"):
        source_for(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("identifiers: {email: mail}", "timestamp"),
        ("timestamp: {column: t, zone: X}\nidentifiers: {}", "zone"),
        ("timestamp: {column: t}\nidentifiers: {}\ncolumns: {a: {to: b, as: money}}", "money"),
        ("timestamp: {column: t, timezone: Mars/Base}\nidentifiers: {}", "IANA"),
        ("timestamp: {column: t}\nidentifiers: {}\ndelimiter: '::'", "one character"),
        ("timestamp: {column: t\nidentifiers: {}", "till.yaml:2"),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_place(tmp_path, text, message):
    path = tmp_path / "till.yaml"
    path.write_text(text)

    with pytest.raises(MappingError, match=message):
        load_mapping(path)


@pytest.mark.parametrize(
    ("pattern", "cell", "expected"),
    [
        ("iso", "2026-07-01T12:30:00.250Z", 1_782_909_000_250),
        ("iso", "2026-07-01T14:30:00+02:00", 1_782_909_000_000),
        ("iso", "2026-07-01 12:30", 1_782_909_000_000),
        ("epoch_seconds", "1782909000.25", 1_782_909_000_250),
        ("epoch_ms", "1782909000250", 1_782_909_000_250),
        ("%Y%m%d", "20260701", 1_782_864_000_000),
    ],
)
def test_times_are_read_in_every_declared_format(pattern, cell, expected):
    mapping = Mapping(timestamp=Timestamp("t", pattern), identifiers={})

    assert mapping.payload({"t": cell}) == {"timestamp": expected, "identifiers": {}}


COMPOSITE = "timestamp: {column: at}\nidentifiers: {%s: %s}\nconstants: {channel: pos, type: track, event: visited}\n"


def composite(folder: Path, columns: str = "[name, born]", kind: str = "loyalty_id") -> Mapping:
    path = folder / "visits.yaml"
    path.write_text(COMPOSITE % (kind, columns))
    return load_mapping(path)


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        (["Ann  Smith,1980-05-01", "ANN SMITH ,1980-05-01"], ["ann smith|1980-05-01"] * 2),
        (["Jose\u0301,1980", "Jos\u00e9,1980"], ["jos\u00e9|1980"] * 2),
        (["a|b,c", "a,b|c"], ["a\\|b|c", "a|b\\|c"]),
        (["Ann,", ",1980"], [None, None]),
    ],
    ids=["case and spaces", "accents", "the separator", "an empty column"],
)
def test_several_columns_are_one_identifier(tmp_path, rows, values):
    path = tmp_path / "visits.csv"
    path.write_text("name,born,at\n" + "".join(f"{row},2026-07-01T12:00:00Z\n" for row in rows))
    read_values = [record.payload["identifiers"].get("loyalty_id") for record in read(path, composite(tmp_path))]
    assert read_values == values


def test_a_column_of_a_composite_identifier_must_be_in_the_table(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text("name,at\nAnn,2026-07-01T12:00:00Z\n")
    with pytest.raises(MissingColumnsError, match="born"):
        read(path, composite(tmp_path))


@pytest.mark.parametrize(
    ("columns", "kind", "instead"),
    [
        ("[name]", "loyalty_id", "write its name without brackets"),
        ("[name, name]", "loyalty_id", "list each column once"),
        ("[]", "loyalty_id", "list each column once"),
        ("[name, born]", "loyalty", "did you mean loyalty_id"),
    ],
)
def test_a_wrong_composite_identifier_is_found_before_the_run(tmp_path, columns, kind, instead):
    with pytest.raises(MappingError, match=rf"visits.yaml:2:.*{instead}"):
        composite(tmp_path, columns, kind)
