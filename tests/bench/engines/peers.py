"""The engines beside Stitchline: how to start the process of each, and how to read what it has made of the events."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.bench.workloads import Customer

QUIX: Final = "quixstreams==3.28.1"
CACHE: Final = Path(".bench")
"""Beside the checkout; `make clean` deletes it."""


class Peer(NamedTuple):
    """An engine whose process takes the job's environment (:mod:`tests.bench.engines.job`)."""

    name: str
    description: str
    module: str
    is_complete: bool
    """Whether it does the whole job; else it only counts."""


PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer(
            "bare",
            "a bare librdkafka loop: counts in a dict, nothing kept, at least once",
            "bare_job",
            is_complete=False,
        ),
        Peer("faust", "plain Faust 0.15.3, tables on RocksDB, at least once", "faust_job", is_complete=True),
        Peer("quix", "Quix Streams 3.28.1, state on RocksDB, exactly once", "quix_job", is_complete=True),
    )
}


def command_of(peer: Peer) -> list[str]:
    """Returns the command that runs a peer. Installs Quix Streams on first use."""
    if peer.name == "quix":
        return [str(_quix_python()), str(Path(__file__).with_name(f"{peer.module}.py"))]
    arguments = ["worker", "-l", "warn"] if peer.name == "faust" else []
    return [sys.executable, "-m", f"tests.bench.engines.{peer.module}", *arguments]


def environment_of(bootstrap: str, name: str, home: Path, commit_seconds: float) -> dict[str, str]:
    """Returns the environment of a peer's process."""
    return {
        **os.environ, "BENCH_BROKERS": bootstrap, "BENCH_NAME": name, "BENCH_HOME": str(home),
        "BENCH_COMMIT_SECONDS": str(commit_seconds), "PYTHONWARNINGS": "ignore",
    }  # fmt: skip


def _quix_python() -> Path:
    folder = CACHE / QUIX.replace("==", "-")
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", QUIX]
        subprocess.run(install, check=True)
        ready.touch()
    return python.absolute()


def customers_of(profiles: Mapping[bytes, bytes], leads: Mapping[bytes, bytes]) -> dict[str, Customer]:
    """Returns what a complete peer found out, from the last record of each key on its two output topics."""
    leading = {json.loads(value)["user"] for value in leads.values()}
    return {
        _user(update["user"]): _customer(update, update["user"] in leading)
        for update in map(json.loads, profiles.values())
    }


def counts_of(profiles: Mapping[bytes, bytes]) -> dict[str, int]:
    """Returns the records that the bare loop counted by user id, repetitions included."""
    return {_user(record["user"]): record["count"] for record in map(json.loads, profiles.values())}


def _user(key: str) -> str:
    return key.partition("user_id:")[2]


def _customer(update: dict[str, Any], is_lead: bool) -> Customer:
    totals = {name: windows["lifetime"] for name, windows in update["aggregates"].items()}
    names = ("events", "products_viewed", "orders", "spent")
    return Customer(*(totals.get(name, 0) for name in names), is_lead=is_lead)
