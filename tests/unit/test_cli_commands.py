"""The command line as a whole: what a start imports, help lines, exit codes, and how commands end on errors."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from pipeline.cli import Commands, app
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained
from pipeline.errors import MisuseError, OperatorError
from pipeline.version import version

HEAVY = {
    "aiohttp", "confluent_kafka", "email_validator", "fastavro", "faust", "networkx", "numpy", "phonenumbers",
    "prometheus_client", "pyarrow", "rocksdict", "scipy",
}  # fmt: skip
RUN = """
import json, sys
from pipeline.cli import app
try:
    app(sys.argv[1:])
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["rules", "check"], ["config", "show"]])
def test_a_command_without_kafka_does_not_wait_for_the_libraries_of_others(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stderr.splitlines()[-1])) == set()


@pytest.mark.parametrize("deferred", Commands.deferred, ids=lambda deferred: deferred.name)
def test_the_help_line_of_a_command_is_the_start_of_its_own_help(deferred: Any) -> None:
    assert deferred.load().help.split("\n\n")[0].replace("\n", " ") == deferred.help


def every_command() -> Iterator[tuple[str, Any]]:
    whole: Any = typer.main.get_command(app)
    whole.load_all()
    waiting = [(whole, "stitchline")]
    while waiting:
        command, path = waiting.pop()
        inner = getattr(command, "commands", {})
        waiting += [(item, f"{path} {name}") for name, item in inner.items()]
        if not inner:
            yield path, command


@pytest.mark.parametrize(("path", "command"), list(every_command()), ids=str)
def test_the_exit_codes_of_a_help_text_are_those_of_the_table(path: str, command: Any) -> None:
    match = re.search(r"Exit codes?:? (.*?)(\n\\b|$)", command.epilog or "", re.DOTALL)
    if match is not None:
        assert {int(code) for code in re.findall(r"(?:^|; |, )(\d+)\b", match[1])} <= set(ExitCode), path


@pytest.mark.parametrize(("path", "command"), list(every_command()), ids=str)
def test_every_help_shows_an_example_and_the_exit_codes(path: str, command: Any) -> None:
    done = CliRunner().invoke(app, [*path.split()[1:], "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert re.search(r"Exit codes?:? \d", done.stdout), path
    assert re.search(rf"Examples?:\s.*{path}\b", done.stdout, re.DOTALL), path


def test_the_version_is_that_of_the_package() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"stitchline {version()}\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [(OperatorError("start Kafka"), 1), (MisuseError("write a number"), 2), (FileNotFoundError(2, "No such file"), 1)],
)
def test_an_operators_error_is_one_line_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, explained(OSError):
        raise error
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == f"stitchline: {error}\n"


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(KeyError), explained(OSError):
        raise KeyError


def test_a_wrong_setting_ends_any_command_with_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STITCHLINE_PARTITIONS", "many")
    monkeypatch.setenv("STITCHLINE_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["dlq", "ls"])
    assert done.exit_code == ExitCode.FAILED
    assert done.stderr.startswith("stitchline: STITCHLINE_PARTITIONS: ")
    assert done.stderr.count("\n") == 1
