"""Meta's lead ads: the endpoint is confirmed by a token, and a lead is looked up before it is acknowledged."""

import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.collect.request import Request
from connectors.collect.webhooks.meta import meta
from pipeline.event.result import Rejected
from pipeline.rules.sources import Source
from tests.support.collecting import NOW_MS, Door, Reply, shop

SECRET = b"s3cret"
SECONDS = NOW_MS // 1000
LEADS = {
    "object": "page",
    "entry": [{"id": "p1", "time": SECONDS, "changes": [
        {"field": "leadgen",
         "value": {"leadgen_id": "444", "page_id": "p1", "form_id": 7, "created_time": SECONDS}},
        {"field": "feed", "value": {}},
    ]}],
}  # fmt: skip
ANSWERS = {
    "id": "444", "campaign_id": "c1", "field_data": [
        {"name": "email", "values": ["a@example.com"]}, {"name": "full_name", "values": ["Ann Lee"]},
        {"name": "budget?", "values": ["1", "2"]}, {"name": "form_id", "values": ["forged"]}],
}  # fmt: skip


@contextmanager
def graph(status: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Meta's Graph API with one lead: its URL, and the requests that it gets."""
    asked: list[tuple[str, str]] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(msgspec.json.encode(ANSWERS))

        def log_message(self, *_: object) -> None:
            """Is quiet."""

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v24.0", asked
        server.shutdown()
        thread.join()


def deliver(door: Door, body: Any) -> Reply:
    content = msgspec.json.encode(body)
    signature = hmac.new(SECRET, content, sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signature}"}
    return door.send("POST", "/webhooks/meta/shop", content, headers, key=None)


def meta_source(tmp_path: Path, **fields: str) -> Source:
    for name, secret in (("app", SECRET), ("verify", b"v3rify"), ("token", b"t0ken")):
        (tmp_path / name).write_bytes(secret)
    webhook = {"vendor": "meta", "secret_files": ["app"], "verify_token_file": "verify", **fields}
    return shop(webhooks=[webhook], channel="ads")


def test_a_lead_that_is_not_looked_up_holds_ids_only(tmp_path: Path) -> None:
    source = meta_source(tmp_path)
    document = meta(Request("POST", "/webhooks/meta/shop", body=msgspec.json.encode(LEADS))).items[0].document
    assert not isinstance(document, Rejected)
    assert (document["event"], document["identifiers"], document["messageId"]) == (
        "Lead Submitted", {"meta_lead_id": "444"}, "meta-lead-444",
    )  # fmt: skip
    door = Door(source, folder=tmp_path)  # the shipped rules do not declare this type of identifier
    assert deliver(door, LEADS).json()["rejected"][0]["reason"] == "no_identifier"
    assert door.kept.quarantined[0][0] == msgspec.json.encode(LEADS)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("hub.mode=subscribe&hub.challenge=115&hub.verify_token=v3rify", 200),
        ("hub.mode=subscribe&hub.challenge=115&hub.verify_token=v3rifx", 401),
        ("hub.mode=subscribe&hub.challenge=115", 401),
        ("hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=v3rify", 401),
        ("hub.mode=unsubscribe&hub.challenge=115&hub.verify_token=v3rify", 401),
        ("", 401),
    ],
)
def test_meta_confirms_its_endpoint_by_a_token(query: str, status: int, tmp_path: Path) -> None:
    door = Door(meta_source(tmp_path), folder=tmp_path)
    reply = door.send("GET", f"/webhooks/meta/shop?{query}", key=None)
    assert reply.status == status
    if status == 200:
        assert (reply.body, reply.headers["content-type"]) == (b"115", "text/plain")
    assert door.send("GET", "/webhooks/meta/other?" + query, key=None).status == 401


@pytest.mark.parametrize(("answered", "status"), [(200, 200), (404, 200), (500, 503), (403, 503)])
def test_a_lead_of_meta_is_looked_up_before_it_is_acknowledged(answered: int, status: int, tmp_path: Path) -> None:
    with graph(answered) as (url, asked):
        source = meta_source(tmp_path, access_token_file="token", graph_url=url)
        door = Door(source, folder=tmp_path)
        reply = deliver(door, LEADS)
    [(path, authorization)] = asked
    assert path.startswith("/v24.0/444?fields=")
    assert authorization == "Bearer t0ken"
    assert reply.status == status
    assert len(door.kept.records) == (status == 200)
    if answered == 200:
        [event] = door.kept.events
        assert event.identifiers == ["meta_lead_id:444", "email:a@example.com"]
        assert event.traits == {"email": "a@example.com", "name": "Ann Lee"}
        assert event.properties == {"budget?": ["1", "2"], "form_id": "7", "page_id": "p1"}
        assert event.context["campaign"] == {"source": "meta", "medium": "cpc", "id": "c1"}
    elif status == 503:
        assert reply.headers["retry-after"] == "60"
