"""The identifiers of every customer, as the exported profiles and as ``identity resolve`` list them."""

from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner

from pipeline.cli import app
from tests.support.simulated import Story


def customers(story: Story) -> list[list[str]]:
    """The identifiers of each exported profile."""
    return sorted(sorted(msgspec.json.decode(line)["identifiers"]) for line in story.exported().splitlines())


def resolved(folder: Path, events: list[dict[str, Any]], *options: str | Path) -> list[list[str]]:
    """The customers that ``identity resolve`` finds in a file of these events."""
    path = folder / "events.ndjson"
    path.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in events))
    done = CliRunner().invoke(app, ["identity", "resolve", str(path), "--json", *map(str, options)])
    assert done.exit_code == 0, done.output
    return sorted(group["identifiers"] for group in msgspec.json.decode(done.stdout)["groups"])
