"""Tables with a mapping: amounts by the decimal sign the mapping names, and mistakes found before the run."""

from pathlib import Path

import pytest

from tests.support.as_sent import Outcome, simulate_files

BASE = """timestamp: {column: at}
identifiers: {email: mail}
constants: {channel: pos, type: track, event: order_completed}
"""


def table(folder: Path, mapping: str, *cells: str, data: bytes | None = None) -> Outcome:
    """The outcome of a table with the columns at, mail and total, by the mapping's text."""
    rows = [f"2026-03-01T12:0{n}:00Z;ann@shop.example;{cell}" for n, cell in enumerate(cells)]
    (folder / "till.csv").write_bytes(data or "\n".join(["at;mail;total", *rows, ""]).encode())
    (folder / "till.yaml").write_text(mapping, encoding="utf-8")
    return simulate_files(folder, [folder / "till.csv"], "--mapping", folder / "till.yaml")


@pytest.mark.parametrize(
    ("decimal", "target", "cell", "minor"),
    [
        ('decimal: ","', "properties.total", "1.299,00", 129_900),
        ('decimal: ","', "properties.total", "1.299", 129_900),
        ('decimal: ","', "{to: properties.total, as: money}", "19,99", 1999),
        ('decimal: ","', "{to: properties.total, as: number}", "1299", 129_900),
        ('decimal: "."', "{to: properties.total, as: money}", "1,299", 129_900),
        ('decimal: "."', "properties.total", "1,299.5", 129_950),
        ("", "{to: properties.total, as: money}", "19,99", 1999),
    ],
)
def test_the_mapping_sets_the_decimal_sign(tmp_path: Path, decimal: str, target: str, cell: str, minor: int) -> None:
    mapping = f'{BASE}columns: {{total: {target}}}\ndelimiter: ";"\n{decimal}\n'
    assert table(tmp_path, mapping, cell).number("spent") == {"USD": minor}


@pytest.mark.parametrize("cell", ["1,299", "much"])
def test_an_amount_that_stays_ambiguous_is_rejected_with_its_column(tmp_path: Path, cell: str) -> None:
    mapping = f'{BASE}columns: {{total: {{to: properties.total, as: money}}}}\ndelimiter: ";"\n'
    (reject,) = table(tmp_path, mapping, cell).rejects
    assert (reject["reason"], reject["detail"][:13]) == ("invalid_field", "column total:")


@pytest.mark.parametrize(
    ("mapping", "place", "instead"),
    [
        (f"{BASE}columns:\n  total: {{to: properties.sum, as: money}}", "5:3", "properties.revenue, properties.total"),
        (f"{BASE}columns:\n  total: {{to: properties.total, as: float}}", "5:37", "number"),
        (BASE.replace("email", "e_mail"), "2:15", "email"),
        (BASE.replace("constants", "constant"), "3:1", "constants"),
        (BASE.replace("channel", "chanel"), "3:13", "channel"),
        (f"{BASE}columns:\n  total: property.total", "5:3", "properties"),
        (BASE.replace("at}", "at, timezone: Mars/Base}"), "1:25", "Europe/Berlin"),
        (BASE.replace("at}", "at, format: epoch}"), "1:25", "epoch_seconds"),
    ],
)
def test_a_mistake_in_a_mapping_is_found_before_the_run(tmp_path: Path, mapping: str, place: str, instead: str) -> None:
    outcome = table(tmp_path, mapping, "5")
    assert outcome.exit_code == 1
    assert f"till.yaml:{place}: " in outcome.output.replace("\n", "")
    assert instead in outcome.output.replace("\n", " ")
    assert outcome.profiles == []
