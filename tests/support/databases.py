"""The databases of the read model's tests: a SQLite file, and a database of a real PostgreSQL.

A pytest plugin; ``tests/conftest.py`` loads it. PostgreSQL is the one that Debian's package installs, started once a
session by a user that is not root, on a port of the loopback address.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from pipeline.local.ports import free_ports
from tests.conftest import say
from tests.support import children
from tests.support.shared import shared
from tests.support.waiting import eventually

USER = "postgres"
KINDS = ("sqlite", "postgresql")
_numbers = itertools.count(1)


class Postgres(msgspec.Struct, frozen=True):
    """A PostgreSQL that answers, and its description for the report."""

    url: str
    """Without the name of a database."""
    description: str


class Database(msgspec.Struct, frozen=True):
    """An empty database: ``url`` for STITCHLINE_DATABASE_URL, ``home`` for STITCHLINE_HOME."""

    kind: str
    url: str
    home: Path


def _binary(name: str) -> str:
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(beside[-1]) if beside else "")
    if not found:
        pytest.skip("PostgreSQL is not installed: NOT TESTED (Debian: apt-get install postgresql)")
    return found


def _unprivileged() -> dict[str, Any]:
    """Options of subprocess: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    user = next((entry for entry in pwd.getpwall() if entry.pw_name == USER), pwd.getpwnam("nobody"))
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "env": {**os.environ, "HOME": "/tmp"}}


@contextmanager
def _postgres() -> Iterator[Postgres]:
    options, port = _unprivileged(), free_ports(1)[0]
    folder = Path(tempfile.mkdtemp(prefix="stitchline-pg-"))
    try:
        if options:
            os.chown(folder, options["user"], options["group"])
        quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        made = [_binary("initdb"), "-D", folder / "data", "-U", USER, "-A", "trust", "-N", "--locale=C.UTF-8"]
        subprocess.run(list(map(str, made)), check=True, **quiet, **options)
        server = [_binary("postgres"), "-D", folder / "data", "-p", port, "-k", folder, "-h", "127.0.0.1", "-F"]
        process = subprocess.Popen(list(map(str, server)), **quiet, **options)
        try:
            url = f"postgresql://{USER}@127.0.0.1:{port}"
            version = eventually(lambda: _version(url, process), "PostgreSQL answers")
            yield Postgres(url, f"PostgreSQL {version}")
        finally:
            children.end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _version(url: str, process: "subprocess.Popen[bytes]") -> str | None:
    assert process.poll() is None, "PostgreSQL has ended"
    try:
        with psycopg.connect(f"{url}/postgres", connect_timeout=5) as connection:
            row = connection.execute("SHOW server_version").fetchone()
            return str(row[0]) if row else None
    except psycopg.OperationalError:
        return None


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config, shared_folder: Path) -> Iterator[Postgres]:
    """A running PostgreSQL, one for all test processes."""
    with shared(shared_folder, Postgres, _postgres) as running:
        say(pytestconfig, "database", running.description)
        yield running


def empty_database(kind: str, request: pytest.FixtureRequest, home: Path) -> Database:
    """A new database of a kind."""
    if kind == "sqlite":
        return Database("sqlite", "", home)
    running: Postgres = request.getfixturevalue("postgres")
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(f"{running.url}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return Database("postgresql", f"{running.url}/{name}", home)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind in turn."""
    return empty_database(request.param, request, tmp_path)
