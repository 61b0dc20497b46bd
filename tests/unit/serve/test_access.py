"""The table of access attempts, and what each is answered. ``deploy/docs/api.md`` shows the same table."""

from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from pipeline.serve.access import keys as keys_module
from pipeline.serve.access.keys import KeyRefusedError
from pipeline.serve.access.masking import MASK, masked
from pipeline.serve.api.app import api_app
from pipeline.serve.api.services import Services
from tests.unit.serve.conftest import Caller

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
LINKED = "/v1/profiles/user_id:late"


def refused(answer, status: int, kind: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(f":{kind}")
    assert answer.json()["status"] == status
    assert "late" not in answer.text


def every_path(services: Services) -> list[tuple[str, str]]:
    described = TestClient(api_app(services)).get("/v1/openapi.json").json()
    fill = {"{ref}": "user_id:late", "{name}": "browsing", "{action_id}": "a", "{account_id}": "a", "{request_id}": "a"}
    paths = []
    for template, methods in described["paths"].items():
        path = template
        for name, value in fill.items():
            path = path.replace(name, value)
        paths += [(method.upper(), path) for method in methods]
    return paths


def test_no_route_answers_without_a_key(services: Services):
    http = TestClient(api_app(services))
    paths = every_path(services)
    assert len(paths) > 20
    for method, path in paths:
        refused(http.request(method, path), 401, "no-key")
        assert http.request(method, path).headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "slk_abc", "Bearer  \t"])
def test_a_header_without_a_key_is_no_key(services: Services, header):
    refused(TestClient(api_app(services)).get(LINKED, headers={"authorization": header}), 401, "no-key")


@pytest.mark.parametrize("secret", ["slk_unknown", "x" * 10_000, "' OR 1=1 --", "slk_\x7f"])
def test_an_unknown_key_is_refused(services: Services, secret):
    answer = TestClient(api_app(services)).get(LINKED, headers={"authorization": f"Bearer {secret}"})
    refused(answer, 401, "invalid-key")


def test_a_revoked_key_is_refused(services: Services, reader: Caller, monkeypatch):
    assert reader.get(LINKED).status_code == 200
    monkeypatch.setattr(keys_module, "CACHE_SECONDS", 0.0)
    services.keys._cached.clear()

    services.keys.revoke(reader.key.name)

    refused(reader.get(LINKED), 401, "invalid-key")


def test_a_revocation_in_another_process_counts_after_the_cache_expires(
    services: Services, reader: Caller, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(keys_module.time, "monotonic", lambda: now[0])
    assert reader.get(LINKED).status_code == 200
    keys_module.ApiKeys(services.store).revoke(reader.key.key_id)
    now[0] += keys_module.CACHE_SECONDS + 0.01

    refused(reader.get(LINKED), 401, "invalid-key")


def test_another_tenants_key_finds_nothing(services: Services, reader: Caller):
    profile_id = reader.json(LINKED)["profile_id"]
    lead = reader.json("/v1/leads")["items"][0]["action_id"]
    last = reader.json("/v1/changes")["last"]
    other = Caller(services, "read", "read:pii", tenant="other")
    for path in (LINKED, f"/v1/profiles/{profile_id}", f"/v1/profiles/{profile_id}/timeline", f"/v1/leads/{lead}"):
        refused(other.get(path), 404, "not-found")
    assert other.json("/v1/leads")["items"] == []
    assert other.json("/v1/identity/changes")["items"] == []
    assert other.json("/v1/search", q="late")["profiles"] == []
    assert other.json("/v1/segments/browsing/members")["items"] == []
    assert other.get("/v1/segments/browsing/export").text == ""
    assert other.json("/v1/attribution")["profiles"] == 0
    assert other.json("/v1/overview")["totals"]["customers"] == 0
    assert other.json("/v1/changes", since=last.split("-")[0] + "-0")["items"] == []
    assert other.post("/v1/segments/preview", json={"when": "score.engagement >= 0"}).json()["preview"]["profiles"] == 0
    batch = other.post("/v1/profiles/lookup", json={"ids": ["user_id:late", profile_id]}).json()["profiles"]
    assert [item["problem"] for item in batch] == ["not-found", "not-found"]


def test_a_key_without_read_is_refused(services: Services):
    refused(Caller(services, "write").get(LINKED), 403, "missing-scope")


def test_search_and_pictures_need_personal_data(services: Services):
    blind = Caller(services, "read")
    refused(blind.get("/v1/search", params={"q": "late"}), 403, "missing-scope")
    refused(blind.get(LINKED + "/graph", params={"format": "svg"}), 403, "missing-scope")


def test_without_read_pii_no_answer_holds_personal_data(services: Services, reader: Caller):
    whole = reader.json(LINKED + "/detail")
    personal = {trait["value"] for trait in whole["traits"].values() if isinstance(trait["value"], str)}
    personal |= {ident.partition(":")[2] for ident in whole["identifiers"]}
    lead = next(item for item in reader.json("/v1/leads")["items"] if item["contact"])
    personal |= set(lead["contact"].values()) | {ident.partition(":")[2] for ident in lead["identifiers"]}
    personal.remove("late")  # part of a message id, which is not masked
    blind = Caller(services, "read")
    about = f"/v1/profiles/{lead['profile_id']}"
    parts = ["detail", "timeline", "scores", "segments", "identity", "graph", "households", "identity-changes"]
    paths = [f"{ref}/{part}" for ref in (LINKED, about) for part in parts] + [LINKED, about]
    paths += ["/v1/leads", f"/v1/leads/{lead['action_id']}", "/v1/identity/changes", "/v1/segments/browsing/members"]
    for path in [*paths, "/v1/segments/browsing/export", "/v1/changes", "/v1/quarantine", "/v1/segments"]:
        answer = blind.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert not {value for value in personal if value in answer.text}, path
    assert MASK in blind.get(LINKED).text


def test_masked_identifiers_keep_their_type_and_number(services: Services, reader: Caller):
    whole, blind = reader.json(LINKED), Caller(services, "read").json(LINKED)
    assert [ident.partition(":")[0] for ident in blind["identifiers"]] == [
        ident.partition(":")[0] for ident in whole["identifiers"]
    ]
    assert blind["traits"].keys() == whole["traits"].keys()
    assert blind["scores"] == whole["scores"]
    assert len(masked({"identifiers": {"email:a": 1, "email:b": 2}})["identifiers"]) == 2


def test_a_key_may_send_so_many_requests_a_minute(services: Services):
    slow = Caller(services, "read", per_minute=60)
    answers = [slow.get("/v1/segments") for _ in range(5)]
    assert answers[0].status_code == 200
    refused(answers[-1], 429, "too-many-requests")
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_answers_with_personal_data_are_recorded_without_personal_data(services: Services, reader: Caller):
    profile_id = reader.json(LINKED)["profile_id"]
    reader.json("/v1/search", q="late-nobody")
    Caller(services, "read").json(LINKED)
    [file] = (services.audit._folder).glob("audit-*.jsonl")
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]

    assert file.stat().st_mode & 0o777 == 0o600
    assert [(line["action"], line["profile_ids"]) for line in lines] == [
        ("GET /v1/profiles/{ref}", [profile_id]),
        ("GET /v1/search", []),
    ]
    assert lines[0]["actor"].startswith("key ")
    assert "late" not in file.read_text()


def test_only_hashes_of_secrets_are_stored(services: Services, reader: Caller):
    database = b"".join(path.read_bytes() for path in Path(services.store.place).parent.glob("serve.db*"))
    assert reader.secret.encode() not in database
    assert keys_module.hash_of(reader.secret).encode() in database


@pytest.mark.parametrize("scopes", [(), ("admin",), ("read", "everything")])
def test_a_key_with_an_unknown_scope_is_not_made(services: Services, scopes):
    with pytest.raises(KeyRefusedError, match="scopes are read"):
        services.keys.add("k", scopes=scopes)


def test_two_valid_keys_never_have_one_name(services: Services):
    services.keys.add("crm")
    with pytest.raises(KeyRefusedError, match="revoke it first"):
        services.keys.add("crm")
    services.keys.revoke("crm")
    services.keys.add("crm")
    with pytest.raises(KeyRefusedError, match="keys ls"):
        services.keys.revoke("nobody")


def test_misspelt_and_repeated_query_parameters_are_refused(reader: Caller):
    for query in ("?owners=ann", "?owner=ann&owner=bob", "?limit=0", "?limit=x", "?open_only=perhaps"):
        refused(reader.get(f"/v1/leads{query}"), 400, "invalid-request")


def test_unknown_paths_and_methods_are_problems(reader: Caller):
    refused(reader.get("/v1/none"), 404, "not-found")
    answer = reader.http.delete("/v1/leads")
    refused(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"
