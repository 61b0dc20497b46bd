"""Runs ``stitchline simulate`` over files of events as senders write them, and reads its results."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

from pipeline.cli import app


class Outcome(NamedTuple):
    """The output of one run of ``simulate``."""

    exit_code: int
    output: str
    profiles: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]
    actions: list[dict[str, Any]]

    @property
    def profile(self) -> dict[str, Any]:
        """Returns the only active profile."""
        (result,) = [profile for profile in self.profiles if not profile["merged_into"]]
        return result

    def number(self, name: str, window: str = "lifetime") -> Any:
        """An aggregate of the only profile."""
        return self.profile["aggregates"][name][window]


def line_of(event: dict[str, Any] | bytes) -> bytes:
    """An event as a line; bytes are sent as they are."""
    return event if isinstance(event, bytes) else json.dumps(event).encode()


def simulate(folder: Path, events: Iterable[dict[str, Any] | bytes], *options: str | Path) -> Outcome:
    """Runs ``simulate`` over one file with these lines."""
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(map(line_of, events)) + b"\n")
    return simulate_files(folder, [path], *options)


def simulate_files(folder: Path, files: list[Path], *options: str | Path) -> Outcome:
    """Runs ``simulate`` over these files."""
    out = folder / "out"
    done = CliRunner().invoke(app, ["simulate", *map(str, files), "--out", str(out), *map(str, options)])
    names = ("profiles", "rejects", "dlq", "crm-actions")
    return Outcome(done.exit_code, done.output, *(_rows(out / f"{name}.ndjson") for name in names))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
