"""Files as data teams have them, and the messages about files that cannot be read. Through ``simulate``."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.testing.build import event_json
from tests.support.as_sent import simulate, simulate_files

MAPPING = """timestamp: {column: at}
identifiers: {email: mail}
constants: {channel: pos, type: track, event: order_completed}
columns: {total: {to: properties.total, as: money}}
"""


def written(path: Path) -> Path:
    """A table of two orders, in the format that the suffix names."""
    pyarrow = pytest.importorskip("pyarrow")
    rows = [
        {"at": datetime(2026, 3, 1, 12, tzinfo=UTC), "mail": "ann@shop.example", "total": 19.99},
        {"at": datetime(2026, 3, 2, 12, tzinfo=UTC), "mail": "ann@shop.example", "total": None},
    ]
    table = pyarrow.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        from pyarrow import parquet  # noqa: PLC0415 - optional

        parquet.write_table(table, path)
        return path
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return path


@pytest.mark.parametrize("name", ["orders.parquet", "orders.arrow"])
def test_parquet_and_arrow_files_are_read_by_their_mapping(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING, encoding="utf-8")
    outcome = simulate_files(tmp_path, [written(tmp_path / name)], "--mapping", tmp_path / "m.yaml")
    assert (outcome.exit_code, outcome.number("orders"), outcome.number("spent")) == (0, 2, {"USD": 1999})


def test_a_damaged_parquet_file_is_reported_as_damaged(tmp_path: Path) -> None:
    path = written(tmp_path / "orders.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    (reject,) = simulate_files(tmp_path, [path]).rejects
    assert (reject["reason"], "damaged" in reject["detail"]) == ("undecodable", True)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ("at;mail;total\n".encode("utf-16"), "UTF-16"),
        ("at;mail;total\n".encode("utf-16-le"), "UTF-16"),
        (b"sep=;\nat;mail;total\n", "sep=;"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        (b"<html></html>", "HTML"),
    ],
)
def test_a_file_of_another_format_is_named_for_what_it_is(tmp_path: Path, data: bytes, named: str) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "orders.csv").write_bytes(data)
    outcome = simulate_files(tmp_path, [tmp_path / "orders.csv"], "--mapping", tmp_path / "m.yaml")
    assert (outcome.exit_code, outcome.profiles) == (1, [])
    assert named in outcome.output.replace("\n", " ")


def test_a_run_that_fails_leaves_no_results_of_an_earlier_one(tmp_path: Path) -> None:
    assert simulate(tmp_path, [event_json(1, userId="u")]).profiles
    failed = simulate_files(tmp_path, [tmp_path / "events.ndjson", tmp_path / "missing.ndjson"])
    assert failed.exit_code == 1
    assert list((tmp_path / "out").iterdir()) == []
