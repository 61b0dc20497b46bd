"""``up --serve`` and ``demo --serve``: refusals before anything starts, and a console that ends with its supervisor."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import extras
from pipeline.cli import app
from tests.support import children
from tests.support.waiting import deadline_seconds

RUNNER = CliRunner()


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_missing_library_is_named_with_its_extra_before_anything_starts(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_fastapi(name: str) -> ModuleSpec | None:
        return None if name == "fastapi" else find_spec(name)

    monkeypatch.setattr(extras, "find_spec", without_fastapi)
    monkeypatch.setenv("STITCHLINE_HOME", str(tmp_path / "home"))

    done = RUNNER.invoke(app, [command, "--serve"])

    assert done.exit_code == 1
    assert "fastapi is not installed; run: pip install 'stitchline[serve]'" in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_demo_keeps_kafka_or_serves_and_not_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHLINE_HOME", str(tmp_path / "home"))

    done = RUNNER.invoke(app, ["demo", "--keep", "--serve"])

    assert done.exit_code == 2
    assert "--keep" in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_supervised_console_ends_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STITCHLINE_")}
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--role", "api", "--port", "0", "--supervised"]
    environment = {**kept, "STITCHLINE_HOME": str(tmp_path)}
    with children.running(
        command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        assert process.stderr.readline().startswith("console: http://127.0.0.1:")

        process.stdin.close()

        assert process.wait(deadline_seconds()) == 0
