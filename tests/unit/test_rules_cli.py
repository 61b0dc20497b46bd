"""``stitchline rules``: what it prints, where, and with which exit code."""

import ast
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.rules import app
from pipeline.rules.files import FILES
from pipeline.rules.load import load_rules
from pipeline.rules.version import rules_version

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _no_rules_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STITCHLINE_RULES_DIR", raising=False)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "scores.yaml").write_text("scores:\n  - name: a\n    pionts: 1\n", encoding="utf-8")
    return tmp_path


def test_check_without_a_directory_checks_the_shipped_rules() -> None:
    done = RUNNER.invoke(app, ["check"])
    assert done.exit_code == 0
    assert done.stdout.startswith("shipped rules: no problems in 9 identifier types")


def test_check_prints_a_line_per_problem_and_exits_1(broken: Path) -> None:
    done = RUNNER.invoke(app, ["check", str(broken)])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{broken}/scores.yaml:2:5: 'points' is missing; add points: with a whole number",
        f"{broken}/scores.yaml:3:5: unknown name 'pionts'; did you mean points?",
    ]
    assert done.stderr == "stitchline: 2 problems\n"


def test_check_in_json_is_one_document_with_the_places(broken: Path) -> None:
    done = RUNNER.invoke(app, ["check", str(broken), "--json"])
    assert done.exit_code == 1
    result = json.loads(done.stdout)
    assert result["ok"] is False
    assert result["problems"][1] == {
        "file": f"{broken}/scores.yaml", "line": 3, "column": 5, "message": "unknown name 'pionts'",
        "instead": "did you mean points?",
    }  # fmt: skip
    assert json.loads(RUNNER.invoke(app, ["check", "--json"]).stdout)["ok"] is True


def test_the_directory_of_the_settings_is_the_default(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLINE_RULES_DIR", str(broken))
    assert RUNNER.invoke(app, ["check"]).exit_code == 1


def test_show_compiled_prints_the_functions_of_the_rules_as_python() -> None:
    done = RUNNER.invoke(app, ["show", "--compiled"])
    assert done.exit_code == 0
    functions = [node for node in ast.parse(done.stdout).body if isinstance(node, ast.FunctionDef)]
    assert {"book", "record", "segment_0"} <= {function.name for function in functions}
    assert "# books: web track order_completed" in done.stdout
    assert "count:products_viewed" in done.stdout.partition("web track product_viewed")[2].partition("# books")[0]


def test_show_prints_the_rules_in_force_with_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "intake.yaml").write_text("default_country: DE\n", encoding="utf-8")
    done = RUNNER.invoke(app, ["show", str(tmp_path), "--file", "intake"])
    assert done.exit_code == 0
    assert "default_country: DE" in done.stdout
    assert "retention: 400 d" in done.stdout
    assert "triggers" not in done.stdout
    result = json.loads(RUNNER.invoke(app, ["show", "--json"]).stdout)
    assert list(result) == ["version", *(spec.topic for spec in FILES)]


def test_check_and_show_name_the_version_and_the_shipped_files(tmp_path: Path) -> None:
    (tmp_path / "intake.yaml").write_text("default_country: DE\n", encoding="utf-8")
    version = rules_version(load_rules(tmp_path))
    checked, shown = (RUNNER.invoke(app, [command, str(tmp_path)]).stdout for command in ("check", "show"))
    assert f"rules version {version}; shipped defaults, which the directory does not have: identifiers.yaml" in checked
    assert shown.startswith(f"# rules version {version}\n")
    headers = [line for line in shown.splitlines() if line.startswith("# ") and ".yaml: " in line]
    assert [line.partition(":")[0][2:] for line in headers if line.endswith(" (shipped default)")] == [
        spec.name for spec in FILES if spec.name != "intake.yaml"
    ]
    report = json.loads(RUNNER.invoke(app, ["check", str(tmp_path), "--json"]).stdout)
    assert report["version"] == version
    assert json.loads(RUNNER.invoke(app, ["show", str(tmp_path), "--json"]).stdout)["version"] == version
    assert report["shipped_defaults"] == [spec.name for spec in FILES if spec.name != "intake.yaml"]


def test_show_refuses_what_it_cannot_show(broken: Path) -> None:
    assert RUNNER.invoke(app, ["show", str(broken)]).exit_code == 1
    done = RUNNER.invoke(app, ["show", "--file", "score"])
    assert done.exit_code == 2
    assert "scores" in done.stderr


def test_schema_prints_all_schemas_or_writes_them(tmp_path: Path) -> None:
    printed = json.loads(RUNNER.invoke(app, ["schema"]).stdout)
    assert list(printed) == [*(spec.topic for spec in FILES), "mapping"]
    done = RUNNER.invoke(app, ["schema", "--out", str(tmp_path / "s")])
    assert done.exit_code == 0
    assert json.loads((tmp_path / "s" / "scores.schema.json").read_text(encoding="utf-8")) == printed["scores"]


def test_init_starts_a_directory_that_checks_and_that_editors_understand(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert RUNNER.invoke(app, ["init", str(folder)]).exit_code == 0
    assert load_rules(folder) == load_rules()
    for spec in FILES:
        first = (folder / spec.name).read_text(encoding="utf-8").splitlines()[0]
        assert (folder / first.partition("$schema=")[2]).is_file()
    again = RUNNER.invoke(app, ["init", str(folder)])
    assert again.exit_code == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize("command", ["check", "show", "schema", "init"])
def test_every_command_shows_an_example_and_its_exit_codes(command: str) -> None:
    done = RUNNER.invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "Example" in done.stdout
    assert "Exit code" in done.stdout


@pytest.mark.parametrize(
    ("preset", "shown"),
    [
        ("none", ["# implied policy latest: user_id, device_id"]),
        ("first-keeps", ["# implied policy first: user_id, device_id", "# implied limits ['1 ever'] of user_id"]),
        ("never-merge-identified", ["# implied policy isolate: user_id, device_id"]),
        ("last-authenticated-owns-device", ["# implied limits ['1 ever'] of user_id"]),
        ("logout-resets", ["# implied log-out events: Logged Out, logout"]),
    ],
)
def test_show_says_what_a_preset_implies(tmp_path: Path, preset: str, shown: list[str]) -> None:
    types = "types: [{name: user_id, priority: 1, strong: true}, {name: device_id, priority: 2}]\n"
    (tmp_path / "identifiers.yaml").write_text(f"{types}preset: {preset}\n", encoding="utf-8")
    lines = RUNNER.invoke(app, ["show", str(tmp_path), "--file", "identifiers"]).stdout.splitlines()
    assert set(shown) <= set(lines)
    assert any(line.startswith(f"# preset {preset}: ") for line in lines)
