"""``stitchline model fit | show``: what operators see, in numbers and in words, and the codes they get."""

import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.rules.model_file import load_model, save_model
from pipeline.score.prediction import PredictionModel, with_version
from tests.support.exports import write_export
from tests.support.simulated_shop import shop

FIRST_DAY, DAYS = 20_000, 540


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["model", *map(str, arguments)])


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "profiles.ndjson"
    return write_export(path, shop(5, 1_200, FIRST_DAY, DAYS), FIRST_DAY + DAYS)


@pytest.fixture(scope="module")
def fitted(export: Path) -> tuple[Path, Result]:
    out = export.with_name("model.json")
    return out, run("fit", export, "--out", out, "--holdout", "90d", "--horizon", "30d")


def test_fit_writes_a_model_and_prints_its_accuracy(fitted: tuple[Path, Result]) -> None:
    out, result = fitted
    assert result.exit_code == 0, result.output
    model = load_model(out)
    assert model.holdout is not None
    assert (model.currency, model.horizon_days, model.holdout.days) == ("EUR", 30, 90)
    assert f"model {model.version} written to {out}" in result.stdout.replace("\n", " ").replace("  ", " ")
    assert "Hold-out: the last 90 days of" in result.stdout
    assert "each at their own rate" in result.stdout


def test_show_prints_what_fit_did_and_all_of_it_as_json(fitted: tuple[Path, Result]) -> None:
    out, result = fitted
    shown = run("show", out)
    assert shown.exit_code == 0
    assert result.stdout.startswith(shown.stdout)
    facts = run("show", out, "--json")
    assert msgspec.json.decode(facts.stdout, type=PredictionModel) == load_model(out)


def test_fit_prints_the_model_as_json_also_without_a_hold_out(
    export: Path, fitted: tuple[Path, Result], tmp_path: Path
) -> None:
    result = run("fit", export, "--out", tmp_path / "m.json", "--holdout", "0", "--json")
    model = msgspec.json.decode(result.stdout, type=PredictionModel)
    assert model == load_model(tmp_path / "m.json")
    assert model.holdout is None
    assert model.purchases == load_model(fitted[0]).purchases


def test_notes_are_shown_and_no_hold_out_where_there_was_none(fitted: tuple[Path, Result], tmp_path: Path) -> None:
    model = load_model(fitted[0])
    noted = msgspec.structs.replace(model.calibration, notes=("mind the gap",))
    save_model(tmp_path / "m.json", with_version(msgspec.structs.replace(model, calibration=noted, holdout=None)))
    shown = run("show", tmp_path / "m.json").stdout
    assert "mind the gap" in shown
    assert "Hold-out" not in shown


def test_too_few_repeat_buyers_is_an_error_of_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    path = write_export(tmp_path / "few.ndjson", shop(5, 50, FIRST_DAY, DAYS), FIRST_DAY + DAYS)
    result = run("fit", path, "--out", tmp_path / "m.json")
    assert result.exit_code == 1
    assert "at least 100 are needed" in result.stderr
    assert result.stderr.count("\n") == 1
    assert [item.name for item in tmp_path.iterdir()] == ["few.ndjson"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--holdout", "fortnight"], 2, "not a span of time"),
        (["--horizon", "36h"], 2, "write whole days"),
        (["--horizon", "0"], 2, "not a span of time"),
        (["--horizon", "4000d"], 2, "1d to 3650d"),
        (["--currency", "GBP"], 1, "no customer has bought in GBP; the export has: EUR"),
        (["--aggregate", "orders"], 1, "not an aggregate of kind purchases"),
    ],
)
def test_wrong_use_and_an_unfit_history_have_different_exit_codes(
    export: Path, tmp_path: Path, options: list[str], code: int, says: str
) -> None:
    result = run("fit", export, "--out", tmp_path / "m.json", *options)
    assert result.exit_code == code
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_a_missing_export_or_model_is_an_error_of_one_line(tmp_path: Path) -> None:
    for result in (run("fit", tmp_path / "no.ndjson", "--out", tmp_path / "m.json"), run("show", tmp_path / "m.json")):
        assert result.exit_code == 1
        assert "No such file" in result.stderr


def test_without_scipy_fit_names_the_extra_and_show_works(
    export: Path, fitted: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "scipy", None)
    result = run("fit", export, "--out", tmp_path / "m.json")
    assert result.exit_code == 1
    assert "pip install 'stitchline[model]'" in result.stderr
    assert run("show", fitted[0]).exit_code == 0


def test_fit_says_which_parameter_sits_at_the_edge_of_its_range(tmp_path: Path) -> None:
    """Every order of a customer has one amount, so the spread of a customer's own amounts cannot be estimated."""
    customers = {
        name: [(day, 100 * len(orders) ** 2, currency) for day, _, currency in orders]
        for name, orders in shop(5, 1_200, FIRST_DAY, DAYS).items()
    }
    path = write_export(tmp_path / "equal.ndjson", customers, FIRST_DAY + DAYS)
    result = run("fit", path, "--out", tmp_path / "m.json", "--holdout", "0")
    assert result.exit_code == 0, result.output
    assert "at the edge of the range that is searched" in " ".join(result.stdout.split())
    shown = run("show", tmp_path / "m.json").stdout
    assert "at the edge of the range that is searched" in " ".join(shown.split())
