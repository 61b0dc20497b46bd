"""Purchase histories come out of an export as they went in, whatever its format; what is none is refused."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.export.files import UnknownFormatError
from pipeline.model.errors import ExportError
from pipeline.model.export import read_export
from tests.support.exports import Order, write_export

CUSTOMERS: dict[str, list[Order]] = {
    "user_id:1": [(100, 500, "EUR"), (100, 250, "EUR"), (130, 900, "EUR"), (131, -300, "EUR")],
    "user_id:2": [(110, 700, "USD"), (90, 100, "EUR")],
    "user_id:3": [(120, -100, "EUR")],
    "user_id:4": [],
}
EUR = [[[100, [750, 2]], [130, [900, 1]], [131, [-300, 0]]], [[90, [100, 1]]]]
USD = [[[110, [700, 1]]]]


def silent(_done: int, _all: int) -> None:
    """No bar."""


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
def test_both_formats_hold_every_day_of_every_customer_by_currency(tmp_path: Path, suffix: str) -> None:
    path = write_export(tmp_path / f"profiles{suffix}", CUSTOMERS, 200)
    steps: list[tuple[int, int]] = []
    export = read_export(path, "purchases", "", lambda done, total: steps.append((done, total)))
    assert export.histories == {"EUR": EUR, "USD": USD}
    assert (export.profiles, export.as_of_day) == (4, 200)
    assert steps[-1][0] == steps[-1][1] > 0


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
@pytest.mark.parametrize(
    ("aggregate", "says"),
    [
        ("orders", "'orders' is not an aggregate of kind purchases"),
        ("spent", "'spent' is not an aggregate of kind purchases"),
        ("bought", "no profile has the aggregate 'bought': add `- {name: bought, kind: purchases, field: amount"),
    ],
)
def test_another_aggregate_is_refused_with_the_rule_to_write(
    tmp_path: Path, suffix: str, aggregate: str, says: str
) -> None:
    path = write_export(tmp_path / f"profiles{suffix}", CUSTOMERS, 200)
    with pytest.raises(ExportError) as refused:
        read_export(path, aggregate, "", silent)
    assert says in str(refused.value)
    assert "--aggregate" in str(refused.value)


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
def test_customers_of_several_tenants_are_never_mixed(tmp_path: Path, suffix: str) -> None:
    customers = {**CUSTOMERS, "north/user_id:1": [(100, 5, "EUR")]}
    path = write_export(tmp_path / f"profiles{suffix}", customers, 200)
    with pytest.raises(ExportError, match=r"holds the tenants north and default: choose one with --tenant"):
        read_export(path, "purchases", "", silent)
    assert read_export(path, "purchases", "default", silent).histories == {"EUR": EUR, "USD": USD}
    assert read_export(path, "purchases", "north", silent).histories == {"EUR": [[[100, [5, 1]]]]}
    with pytest.raises(ExportError, match="no profile of tenant south has the aggregate"):
        read_export(path, "purchases", "south", silent)


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"profiles{suffix}"
    path.write_bytes(b'{"no": "export"}\n')
    with pytest.raises(ExportError, match=f"profiles{suffix}: .*"):
        read_export(path, "purchases", "", silent)


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    parquet.write_table(pa.table({"tenant": ["x"], "as_of_ms": [1]}), path)
    with pytest.raises(ExportError, match="not an export of profiles"):
        read_export(path, "purchases", "", silent)


def test_the_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = write_export(tmp_path / "profiles.ndjson", CUSTOMERS, 200)
    with path.open("ab") as file:
        file.write(b"{\n")
    with pytest.raises(ExportError, match=r"profiles\.ndjson: line 5: "):
        read_export(path, "purchases", "", silent)


def test_a_name_without_a_known_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match="end the name in"):
        read_export(tmp_path / "profiles.csv", "purchases", "", silent)
