"""BottleCRM as tests use it: one template database a session, a copy and a server for each test."""

import itertools
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from tests.crm.bottlecrm.postgres import ROLE, Postgres, postgres
from tests.crm.bottlecrm.programs import bottlecrm_python, postgres_programs
from tests.support import children
from tests.support.waiting import eventually

SITE = Path(__file__).parent / "site"
TEMPLATE = "bottlecrm_template"
_numbers = itertools.count(1)


class Seeded(msgspec.Struct, frozen=True):
    """What the template database holds."""

    profiles: dict[str, str]
    """Name → id of the users admin, ann (an administrator too) and bob."""
    tokens: dict[str, str]
    """Access tokens of admin, whose key the sink has, and of ann, who works by hand."""
    session: str
    """Token of admin, signed in: access tokens may not create webhooks."""


class BottleCrm:
    """One running server with a database of its own."""

    def __init__(self, url: str, seeded: Seeded, dump: Callable[..., bytes]) -> None:
        self.url, self.profiles, self.tokens = url, seeded.profiles, seeded.tokens
        self.session, self.dump = seeded.session, dump
        """Returns every row of the database, as ``pg_dump`` writes it with some options."""
        self.hand = httpx2.Client(base_url=url, timeout=60, headers={"authorization": f"Bearer {self.tokens['ann']}"})
        """Requests of a representative."""

    def get(self, path: str) -> Any:
        """The answer to a representative's read."""
        return self._checked(self.hand.get(path))

    def post(self, path: str, body: Any) -> Any:
        """The answer to a representative's write."""
        return self._checked(self.hand.post(path, json=body))

    def patch(self, path: str, body: Any) -> Any:
        """The answer to a representative's edit."""
        return self._checked(self.hand.patch(path, json=body))

    def delete(self, path: str) -> Any:
        """The answer to a representative's deletion."""
        return self._checked(self.hand.delete(path))

    def leads(self) -> list[dict[str, Any]]:
        """All leads that the list shows: open and closed, never converted ones."""
        body = self.get("/api/leads/?limit=1000")
        return [*body["open_leads"]["open_leads"], *body["close_leads"]["close_leads"]]

    @staticmethod
    def _checked(answer: httpx2.Response) -> Any:
        assert answer.is_success, (answer.status_code, answer.text[:500])
        return answer.json() if answer.content else None


class Installed:
    """BottleCRM's programs and its template database."""

    def __init__(self, python: Path, database: Postgres, scratch: Path) -> None:
        self._python, self._database, self._scratch = python, database, scratch
        database.run("CREATE DATABASE {} OWNER {}", TEMPLATE, ROLE)
        self._run("-m", "django", "migrate", "--run-syncdb", "--verbosity", "0")
        self._seeded = msgspec.json.decode(self._run(str(SITE / "bottlecrm_seed.py")), type=Seeded)

    @contextmanager
    def running(self) -> Iterator[BottleCrm]:
        """Starts a server over a copy of the template."""
        name, port = f"bottlecrm_{os.getpid()}_{next(_numbers)}", _free_port()
        self._database.copy(TEMPLATE, name)
        command = [
            self._python, "-m", "gunicorn", "bottlecrm_wsgi:application", "--bind", f"127.0.0.1:{port}", "--threads",
            "8", "--keep-alive", "30", "--worker-tmp-dir", "/dev/shm", "--log-level", "warning", "--timeout", "120",
        ]  # fmt: skip
        try:
            with children.running(command, env=self._environment(name), cwd=self._scratch) as server:
                crm = BottleCrm(f"http://127.0.0.1:{port}", self._seeded, partial(self._database.dump, name))
                eventually(lambda: _answers(crm) or server.poll() is not None, "BottleCRM answers")
                assert server.poll() is None, "BottleCRM did not start"
                yield crm
                crm.hand.close()
        finally:
            self._database.drop(name)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._python, *arguments], env=self._environment(TEMPLATE), cwd=self._scratch, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def _environment(self, database: str) -> dict[str, str]:
        return {
            **os.environ, "DJANGO_SETTINGS_MODULE": "bottlecrm_settings", "PYTHONPATH": str(SITE), "DBNAME": database,
            "DBUSER": ROLE, "DBHOST": str(self._database.folder), "DBPORT": "5432", "SECRET_KEY": "k" * 50,
        }  # fmt: skip


@contextmanager
def installed(scratch: Path) -> Iterator[Installed]:
    """Sets BottleCRM up.

    Raises:
        MissingProgramError: this machine lacks a program.
    """
    python = bottlecrm_python()
    with postgres(postgres_programs()) as database:
        yield Installed(python, database, scratch)


def _answers(crm: BottleCrm) -> bool:
    try:
        return crm.hand.get("/api/users/").is_success
    except httpx2.RequestError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
