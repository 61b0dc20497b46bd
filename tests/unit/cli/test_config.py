"""``stitchline config show``: every setting with its origin, and no secret."""

import json

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.settings import Settings

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STITCHLINE_{name.upper()}", raising=False)
    monkeypatch.setenv("STITCHLINE_PARTITIONS", "12")
    monkeypatch.setenv("STITCHLINE_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("STITCHLINE_SCHEMA_REGISTRY_URL", "https://me:hunter2@registry.example/apis")


def test_every_setting_is_shown_with_value_origin_and_description() -> None:
    result = {load["name"]: load for load in json.loads(RUNNER.invoke(app, ["config", "show", "--json"]).stdout)}

    assert list(result) == list(Settings.model_fields)
    assert result["partitions"] == {
        "name": "partitions", "variable": "STITCHLINE_PARTITIONS", "value": 12, "origin": "environment",
        "description": Settings.model_fields["partitions"].description,
    }  # fmt: skip
    assert result["rules_dir"]["value"] == ""
    assert {name for name, item in result.items() if item["origin"] == "environment"} == {
        "partitions", "sasl_password", "schema_registry_url",
    }  # fmt: skip


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_secret_is_printed(options: list[str]) -> None:
    done = RUNNER.invoke(app, ["config", "show", *options], env={"COLUMNS": "200"})

    assert done.exit_code == 0
    assert "hunter2" not in done.output
    assert "registry.example" in done.stdout
    assert "[redacted]" in done.stdout


def test_a_value_that_cannot_be_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLINE_PARTITIONS", "hunter2")

    done = RUNNER.invoke(app, ["config", "show"])

    assert done.exit_code == 1
    assert done.stderr.startswith("stitchline: STITCHLINE_PARTITIONS: ")
    assert "hunter2" not in done.output


@pytest.mark.parametrize(
    "command", ["config show", "dlq ls", "dlq show", "dlq replay", "topics create", "topics ls", "profile show",
                "profile export"],
)  # fmt: skip
def test_every_command_shows_an_example_and_its_exit_codes(command: str) -> None:
    done = RUNNER.invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})

    assert done.exit_code == 0
    assert "Example" in done.stdout
    assert "Exit code" in done.stdout
