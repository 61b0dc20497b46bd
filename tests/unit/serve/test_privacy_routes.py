"""The routes of a person's rights without Kafka: scopes, forms, the audit log, and a 503 that says what is missing."""

import msgspec
import pytest

from pipeline.privacy.requests import MAX_AT_ONCE
from pipeline.serve.api.services import Services
from tests.unit.serve.conftest import Caller

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
SENDING = ("erase", "suppress", "admit")
PERSON = "email:Ada@Example.org"
BODY = {"identifier": PERSON, "why": "ticket 902"}
LIST = "/v1/privacy/requests"
STATUS = "/v1/privacy/requests/0b9d7f0c-0d2a-4a4f-9d51-7f8f8a6d2d0e"


@pytest.fixture
def writer(services: Services) -> Caller:
    return Caller(services, "read", "write")


def refused(answer, status: int, kind: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:stitchline:problem:{kind}"


def audited(services: Services) -> list[dict]:
    files = sorted(services.audit._folder.glob("audit-*.jsonl"))
    return [msgspec.json.decode(line) for file in files for line in file.read_bytes().splitlines()]


@pytest.mark.parametrize("name", SENDING)
def test_changes_need_the_scope_write(services: Services, name):
    refused(Caller(services, "read", "read:pii").post(f"/v1/privacy/{name}", json=BODY), 403, "missing-scope")
    assert audited(services) == []


def test_access_needs_the_scope_for_personal_data(services: Services, writer: Caller):
    refused(writer.post("/v1/privacy/access", json={"identifier": PERSON}), 403, "missing-scope")
    assert audited(services) == []


@pytest.mark.parametrize("name", SENDING)
@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"why": ""}, 400, "invalid-request"),
        ({"why": " \n\t"}, 400, "invalid-request"),
        ({"why": "a\0b"}, 400, "invalid-request"),
        ({"why": "w" * 501}, 400, "invalid-request"),
        ({"tenant": "other"}, 400, "invalid-request"),
        ({"identifier": ""}, 400, "invalid-request"),
        ({"identifier": "shoe_size:44"}, 422, "not-an-identifier"),
        ({"identifier": "email:nobody"}, 422, "not-an-identifier"),
        ({"identifier": "user_id:a\0b"}, 422, "not-an-identifier"),
    ],
)
def test_a_request_without_a_person_or_a_reason_is_refused(
    services: Services, writer: Caller, name, change, status, kind
):
    refused(writer.post(f"/v1/privacy/{name}", json={**BODY, **change}), status, kind)
    assert audited(services) == []


def test_without_kafka_every_route_says_so_and_when_to_come_back(services: Services, writer: Caller, reader: Caller):
    answers = [writer.post(f"/v1/privacy/{name}", json=BODY) for name in SENDING]
    answers += [reader.post("/v1/privacy/access", json={"identifier": PERSON}), reader.get(STATUS)]
    answers.append(reader.get(LIST))
    for answer in answers:
        refused(answer, 503, "kafka-unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "ada" not in answer.text.lower()


def test_a_change_is_recorded_before_it_is_sent_without_the_identifier(services: Services, writer: Caller):
    for name in SENDING:
        writer.post(f"/v1/privacy/{name}", json=BODY)

    lines = audited(services)
    assert [line["action"] for line in lines] == [f"POST /v1/privacy/{name}" for name in SENDING]
    assert {line["actor"] for line in lines} == {f"key {writer.key.name} ({writer.key.key_id})"}
    assert {line["profiles"] for line in lines} == {1}
    assert "ada" not in str(lines).lower()


def test_more_requests_than_slots_are_refused(services: Services, writer: Caller):
    slots = services.persons._slots
    for _ in range(MAX_AT_ONCE):
        assert slots.acquire(blocking=False)

    refused(writer.post("/v1/privacy/erase", json=BODY), 503, "busy")
    slots.release()
    refused(writer.post("/v1/privacy/erase", json=BODY), 503, "kafka-unavailable")
    refused(writer.post("/v1/privacy/erase", json=BODY), 503, "kafka-unavailable")


def test_a_status_is_asked_for_by_a_uuid(reader: Caller):
    refused(reader.get("/v1/privacy/requests/decision"), 400, "invalid-request")


@pytest.mark.parametrize("cursor", ["x", "1~2", "-1", "9" * 20])
def test_what_is_no_cursor_of_the_list_is_refused(reader: Caller, cursor):
    refused(reader.get(LIST, params={"cursor": cursor}), 422, "not-a-cursor")
