"""``stitchline serve`` as a user starts it: health, look-ups, a stream that resumes, a writer that takes over."""

import http.client
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline.local.broker import Broker
from pipeline.local.ports import free_ports
from pipeline.settings import Settings
from tests.support import children
from tests.support.databases import Database
from tests.support.model_oracle import expected
from tests.support.model_records import ModelRecords
from tests.support.model_topics import FOLLOWED, SlowProducer, deployment, environment_of
from tests.support.records import committed
from tests.support.waiting import deadline_seconds, eventually

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Server:
    """``stitchline serve`` as a child process."""

    def __init__(self, settings: Settings, *options: str) -> None:
        self.port, self.http_port = free_ports(2)
        self._environment = environment_of(settings)
        ports = ["--port", str(self.port), "--http-port", str(self.http_port)]
        self.process = children.start(
            [sys.executable, "-m", "pipeline.cli", "serve", *ports, *options], env=self._environment
        )

    def key(self, *scopes: str) -> str:
        """The secret of a new key, made by the command."""
        command = [sys.executable, "-m", "pipeline.cli", "serve", "keys", "add", f"key{'-'.join(scopes)}", "--json"]
        for scope in scopes:
            command += ["--scope", scope]
        done = subprocess.run(command, env=self._environment, check=True, capture_output=True)
        return str(msgspec.json.decode(done.stdout)["secret"])

    def get(self, path: str, secret: str = "", *, port: int = 0) -> tuple[int, Any]:
        """Status and body of an answer; (0, None) without one."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=deadline_seconds())
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {secret}"} if secret else {})
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, msgspec.json.decode(body) if "json" in (
                answer.headers["content-type"] or ""
            ) else body
        except OSError:
            return 0, None
        finally:
            connection.close()

    def ready(self) -> bool:
        return self.get("/readyz", port=self.http_port)[0] == 200

    def stream(self, secret: str, last_event_id: str = "", kinds: str = "") -> Iterator[tuple[str, str, bytes]]:
        """(id, event, data) of each server-sent event."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=deadline_seconds())
        headers = {"authorization": f"Bearer {secret}", **({"last-event-id": last_event_id} if last_event_id else {})}
        connection.request("GET", f"/v1/changes/stream?kinds={kinds}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        try:
            while True:
                line = answer.readline().rstrip(b"\n")
                if line:
                    name, _, value = line.decode().partition(": ")
                    fields[name] = value
                    continue
                if "id" in fields:
                    yield fields["id"], fields.get("event", ""), fields.get("data", "").encode()
                fields = {}
        finally:
            connection.close()


def test_serve_follows_answers_streams_and_hands_over(kafka: Broker, topic_prefix: str, database: Database):
    settings = deployment(kafka.bootstrap_servers, topic_prefix, database)
    server = Server(settings)
    eventually(server.ready, "the API is ready")
    secret = server.key("read", "read:pii")
    events = server.stream(secret)
    first_id, _, _ = next(events)

    records = ModelRecords(seed=3, people=20, events=400, prefix=topic_prefix)
    producer = SlowProducer(settings, records, seconds=1.0)
    producer.start()
    producer.join(deadline_seconds())
    wanted = expected([record for topic in FOLLOWED for record in committed(settings, topic)], topic_prefix)

    # Every change of the topics arrives, in the order of commits, without personal data.
    seen = _until(events, wanted)
    assert {facts["action_id"] for _, kind, facts in seen if kind == "lead"} == set(wanted["leads"])
    # A client that lost its connection gets exactly what it missed.
    middle = len(seen) // 2
    again = server.stream(secret, seen[middle][0])
    assert [next(again)[0] for _ in seen[middle + 1 :]] == [number for number, _, _ in seen[middle + 1 :]]
    assert next(server.stream(secret, "0000-1"))[1] == "reset"
    assert first_id.split("-")[0] == seen[0][0].split("-")[0]

    _answers_equal(server, secret, wanted)
    metrics = server.get("/metrics", port=server.http_port)[1].decode()
    assert "stitchline_serve_lag_records 0.0" in metrics
    assert 'stitchline_serve_requests_total{route="/v1/profiles/{ref}",status="200"}' in metrics

    # A second process answers from the same database, and follows when the first is gone.
    second = Server(settings)
    eventually(second.ready, "the second process answers")
    assert second.get("/v1/segments", secret)[0] == 200
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(deadline_seconds())
    other = ModelRecords(seed=4, people=12, events=150, prefix=topic_prefix)
    SlowProducer(settings, other, seconds=0.2).run()
    wanted = expected([record for topic in FOLLOWED for record in committed(settings, topic)], topic_prefix)
    newest = max(wanted["profiles"])
    eventually(
        lambda: (
            second.get(f"/v1/profiles/{newest}", secret)[0] == 200
            and second.get("/v1/overview", secret)[1]["totals"]["customers"] == _customers(wanted)
        ),
        "the second process follows",
    )
    second.process.terminate()
    assert second.process.wait(deadline_seconds()) == 0


def _customers(wanted: dict[str, Any]) -> int:
    return sum(update["status"] == "active" for update in wanted["profiles"].values())


def _until(events: Iterator[tuple[str, str, bytes]], wanted: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Events until every profile was seen in its newest version and every other change once."""
    seen: list[tuple[str, str, Any]] = []
    versions: dict[str, int] = {}
    count = {
        "lead": len(wanted["actions"]),
        "segment": len(wanted["segment_changes"]),
        "identity": len(wanted["changes"]),
    }
    for number, kind, data in events:
        facts = msgspec.json.decode(data) if data else {}
        if not kind:
            continue
        seen.append((number, kind, facts))
        if kind == "profile":
            versions[facts["profile_id"]] = facts["version"]
        else:
            count[kind] -= 1
        newest = {key: update["version"] for key, update in wanted["profiles"].items()}
        if versions == newest and not any(count.values()):
            return seen
    raise AssertionError


def _answers_equal(server: Server, secret: str, wanted: dict[str, Any]) -> None:
    actives = [update for update in wanted["profiles"].values() if update["status"] == "active"]
    for update in actives[:10]:
        assert server.get(f"/v1/profiles/{update['identifiers'][0]}", secret) == (200, update)
    assert server.get("/v1/profiles/user_id:unheard-of", secret)[0] == 404
    assert server.get("/v1/segments")[0] == 401


def test_an_api_process_says_that_no_writer_runs(database: Database, topic_prefix: str, kafka: Broker):
    settings = deployment(kafka.bootstrap_servers, topic_prefix, database)
    server = Server(settings, "--role", "api")
    eventually(lambda: server.get("/livez", port=server.http_port)[0] == 200, "it lives")

    status, page = server.get("/readyz", port=server.http_port)

    assert status == 503
    assert "no writer" in page["reasons"][0]
    assert (database.home / "serve" / "serve.db").is_file()
