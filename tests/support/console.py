"""The real console over a read model that is filled with the records of a simulated shop day, on a SQLite file."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.testclient import TestClient

import schemas
from pipeline.clock import Clock
from pipeline.privacy.requests import PersonRequests
from pipeline.serve.console.build import console_of
from pipeline.serve.model.fold import Fold
from pipeline.serve.model.store import Store
from pipeline.serve.read.reads import Reads
from pipeline.serve.receipts import Receipts
from pipeline.serve.signin.oidc.configuration import OidcConfiguration
from pipeline.serve.signin.oidc.flow import OidcSignIn
from pipeline.serve.signin.roles import Role
from pipeline.serve.signin.users import Users
from pipeline.settings import Settings
from tests.support.model_records import END_MS, ModelRecords
from tests.support.waiting import eventually

PASSWORD = "a quiet brown horse"
NOW_MS = END_MS + 60_000
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@contextmanager
def serving(app: Starlette, port: int) -> Iterator[None]:
    """Serves a console on a port of the loopback interface, for browsers."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started or None, "the console did not start")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


class World:
    """A deployment with one user of each role, and another tenant with an administrator. A context manager."""

    def __init__(
        self,
        folder: Path,
        records: ModelRecords,
        clock: Clock,
        *,
        brokers: str = "127.0.0.1:1",
        oidc: OidcConfiguration | None = None,
    ) -> None:
        self.store = Store.open("", folder)
        self.store.prepare(records.prefix)
        fold = Fold(schemas.text_of_own_id, records.prefix)
        for batch in records.batches(1):
            with self.store.writing() as connection:
                fold.apply(connection, batch, into_feed=True)
        self.audit = folder / "audit"
        settings = Settings(home=folder, bootstrap_servers=brokers)
        self.reads = Reads(self.store, records.rules, clock)
        self.persons = PersonRequests(settings, records.rules, clock, reach_seconds=0.2)
        self.receipts = Receipts(self.store, self.persons, clock)
        signer = OidcSignIn(oidc, self.store.engine, clock) if oidc else None
        self.console = console_of(
            self.reads, self.persons, self.receipts, settings, self.audit, oidc=signer, clock=clock
        )
        self.app: Starlette = self.console.app
        self.users = Users(self.store.engine, clock)
        for role in Role:
            self.users.add(f"{role.value}@shop.example", PASSWORD, role)
        self.users.add("admin@other.example", PASSWORD, Role.ADMIN, "other")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.receipts.close()
        self.console.close()

    def client(self, user: str = "", base: str = "http://testserver") -> TestClient:
        """A browser, signed in as a user unless the name is empty."""
        client = TestClient(self.app, base_url=base, follow_redirects=False, raise_server_exceptions=False)
        if user:
            answer = sign_in(client, user, PASSWORD)
            assert answer.status_code == 303, answer.text
        return client


def sign_in(client: TestClient, name: str, password: str, **more: str):
    """Opens the sign-in page and sends its form."""
    page = client.get("/sign-in")
    token = _CSRF.search(page.text)
    assert token is not None
    return client.post("/sign-in", data={"csrf": token[1], "name": name, "password": password, **more})


def csrf_of(client: TestClient, path: str = "/segments") -> str:
    """The token that the forms of this session carry."""
    found = _CSRF.search(client.get(path).text)
    assert found is not None
    return found[1]
