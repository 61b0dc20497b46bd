"""What commands write holds customers' data: it is its owner's alone, whatever the umask of the shell."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app, sink

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022, "a command left its umask behind"


def modes(folder: Path) -> set[int]:
    """The permissions of everything in a folder, files with those of folders but for the right to enter."""
    return {stat.S_IMODE(path.stat().st_mode) & (0o777 if path.is_dir() else 0o677) for path in folder.rglob("*")}


def test_outputs_of_a_simulation_are_private(tmp_path: Path) -> None:
    events = tmp_path / "events.ndjson"
    events.write_text("{}\n", encoding="utf-8")

    RUNNER.invoke(app, ["simulate", str(events), "--out", str(tmp_path / "a" / "b"), "--channel", "web"])

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert modes(tmp_path / "a") == {0o700, 0o600}


def test_a_sink_file_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_sink(open_sink: object, *_: object, **__: object) -> int:
        assert callable(open_sink)
        open_sink().close()
        return 0

    monkeypatch.setattr(sink, "run_sink", run_sink)

    done = RUNNER.invoke(app, ["sink", "jsonl", str(tmp_path / "leads.jsonl"), "--drain"], catch_exceptions=False)

    assert (done.exit_code, modes(tmp_path)) == (0, {0o600})


def test_rules_are_for_others_to_read(tmp_path: Path) -> None:
    RUNNER.invoke(app, ["rules", "init", str(tmp_path / "rules")], catch_exceptions=False)

    assert modes(tmp_path / "rules") == {0o755, 0o644}
