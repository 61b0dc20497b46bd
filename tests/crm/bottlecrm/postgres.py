"""A PostgreSQL server of the test session's own, reached through a socket in its own folder."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from tests.crm.bottlecrm.programs import MissingProgramError
from tests.support.waiting import eventually

ROLE = "crm"
SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=64MB")


class Postgres:
    """A running server. ``folder`` holds its data and its socket."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs

    def run(self, statement: LiteralString, *names: str) -> None:
        """Runs one statement whose places ``{}`` are names."""
        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(SQL(statement).format(*map(Identifier, names)))

    def copy(self, template: str, name: str) -> None:
        """Creates a database as a copy of another one."""
        self.run("CREATE DATABASE {} TEMPLATE {} OWNER {}", name, template, ROLE)

    def dump(self, name: str, *options: str) -> bytes:
        """Returns every row of a database, as ``pg_dump`` writes it."""
        command = [self._programs / "pg_dump", "-h", self.folder, "-U", "postgres", *options, name]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def drop(self, name: str) -> None:
        """Deletes a database and closes its connections."""
        self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@contextmanager
def postgres(programs: Path) -> Iterator[Postgres]:
    """Starts a server in a new folder. PostgreSQL refuses to run as root, so root starts it as the user postgres."""
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="stitchline-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    server = None
    try:
        data = folder / "data"
        made = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(made, check=True, capture_output=True, user=user, cwd=folder)
        options = [part for setting in (*SPEED, "listen_addresses=") for part in ("-c", setting)]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, *options], user=user, cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        running = Postgres(folder, programs)
        eventually(lambda: _answers(running) or server.poll() is not None, "PostgreSQL answers")
        running.run("CREATE ROLE {} LOGIN", ROLE)
        yield running
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # ends at once, without writing what is thrown away
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(running: Postgres) -> bool:
    try:
        running.run("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        message = "PostgreSQL does not run as root and there is no user postgres"
        raise MissingProgramError(message) from None
