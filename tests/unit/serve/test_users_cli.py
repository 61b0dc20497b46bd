"""``stitchline serve users``, as an operator runs it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.serve import app

PASSWORD = "a quiet brown horse"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STITCHLINE_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["users", *arguments], input=typed)


def test_a_user_is_added_listed_changed_and_removed(home: Path) -> None:
    added = run("add", "Ann@shop.example", "--role", "marketer", "--tenant", "north", "--json", typed=f"{PASSWORD}\n")
    assert added.exit_code == ExitCode.OK, added.output
    assert json.loads(added.stdout)["role"] == "marketer"
    assert json.loads(added.stdout)["signs_in_by"] == "password"
    assert PASSWORD not in added.output
    run("role", "ann@shop.example", "operator")
    (user,) = json.loads(run("ls", "--json").stdout)["users"]
    assert (user["name"], user["role"], user["tenant"]) == ("ann@shop.example", "operator", "north")
    assert run("passwd", "ann@shop.example", typed=f"{PASSWORD} 2\n").exit_code == ExitCode.OK
    assert run("rm", "ann@shop.example").exit_code == ExitCode.OK
    assert json.loads(run("ls", "--json").stdout) == {"users": []}
    assert PASSWORD.encode() not in (home / "serve" / "serve.db").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "typed", "says"),
    [
        (("add", "ann", "--role", "marketer"), "short\n", "12 to 256"),
        (("add", "ann", "--role", "king"), PASSWORD, "king"),
        (("passwd", "bob"), PASSWORD, "no user"),
        (("role", "bob", "admin"), "", "no user"),
        (("rm", "bob"), "", "no user"),
    ],
)
def test_a_wrong_command_says_what_to_write(arguments: tuple[str, ...], typed: str, says: str) -> None:
    done = run(*arguments, typed=typed)
    assert done.exit_code == ExitCode.MISUSED, done.output
    assert says in done.output
