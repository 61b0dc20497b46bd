"""A read model of a simulated shop day, and its API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from starlette.testclient import TestClient

import schemas
from pipeline.obs.metrics import Metrics
from pipeline.privacy.requests import PersonRequests
from pipeline.serve.access.audit import AuditLog
from pipeline.serve.access.keys import ApiKeys
from pipeline.serve.access.limits import RequestLimits
from pipeline.serve.api.app import api_app
from pipeline.serve.api.services import Services
from pipeline.serve.model.fold import Fold
from pipeline.serve.model.store import Store
from pipeline.serve.model.tables import api_keys
from pipeline.serve.read.reads import Reads
from pipeline.settings import Settings
from tests.support.databases import KINDS, Database, empty_database
from tests.support.model_records import END_MS, ModelRecords

PREFIX = "cdp"
NO_BROKER = "127.0.0.1:1"


@pytest.fixture(scope="session")
def records() -> ModelRecords:
    """The topics. Other tests read them too: do not add records."""
    made = ModelRecords(seed=11)
    linked = next(key for key in sorted(made.story.identity().identifiers()) if key.startswith("email:"))
    made.tell({"type": "identify", "userId": "late", "anonymousId": "late-browser", "messageId": "late-1",
               "timestamp": END_MS + 500, "channel": "web", "traits": {"email": linked.partition(":")[2]}})  # fmt: skip
    made.unlink("user_id:late", linked)
    return made


def filled(database: Database, records: ModelRecords, seed: int = 1) -> Store:
    """A read model that has applied all records."""
    store, fold = Store.open(database.url, database.home), Fold(schemas.text_of_own_id, PREFIX)
    store.prepare(PREFIX)
    for batch in records.batches(seed):
        with store.writing() as connection:
            fold.apply(connection, batch, into_feed=True)
    return store


@pytest.fixture(scope="session", params=KINDS)
def store(request: pytest.FixtureRequest, records: ModelRecords, tmp_path_factory) -> Iterator[Store]:
    """A filled read model of each kind in turn. All tests share it: they change keys only."""
    opened = filled(empty_database(request.param, request, tmp_path_factory.mktemp(request.param)), records)
    yield opened
    opened.close()


@pytest.fixture
def services(store: Store, records: ModelRecords, tmp_path: Path) -> Services:
    """The services of an API process, at a fixed time, without keys. No Kafka answers."""
    with store.writing() as connection:
        connection.execute(delete(api_keys))
    return Services(
        store=store,
        reads=Reads(store, records.rules, lambda: END_MS + 60_000),
        persons=PersonRequests(
            Settings(bootstrap_servers=NO_BROKER, home=tmp_path), records.rules, lambda: END_MS, reach_seconds=0.2
        ),
        keys=ApiKeys(store),
        limits=RequestLimits(),
        audit=AuditLog(tmp_path / "audit"),
        metrics=Metrics(),
    )


class Caller:
    """A client of the API with a key."""

    def __init__(self, services: Services, *scopes: str, tenant: str = "default", per_minute: int = 0) -> None:
        name = f"{'-'.join(scopes)}-{tenant}-{per_minute}"
        self.key, self.secret = services.keys.add(name, tenant=tenant, scopes=scopes, requests_per_minute=per_minute)
        headers = {"authorization": f"Bearer {self.secret}"}
        self.http = TestClient(api_app(services), headers=headers, raise_server_exceptions=False)
        self.get, self.post = self.http.get, self.http.post

    def json(self, path: str, status: int = 200, **params: object):
        answer = self.get(path, params=params)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def reader(services: Services) -> Caller:
    """May read personal data."""
    return Caller(services, "read", "read:pii")
