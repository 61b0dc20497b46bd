"""Who may do what: every page for every role, without a session, with an old one, from another site, another tenant."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.serve.console.app import PAGES
from pipeline.serve.signin.attempts import PER_PAIR, WINDOW_MS
from pipeline.serve.signin.roles import RIGHTS, Right, Role
from pipeline.serve.signin.sessions import IDLE_MS
from tests.support.console import NOW_MS, PASSWORD, World, csrf_of, sign_in
from tests.support.model_records import ModelRecords

PARTS = {"profile_id": "p", "action_id": "a", "name": "n", "place": "x", "request_id": "r"}
MATRIX = [(method, path.format(**PARTS), right) for method, path, right, _ in PAGES]


class Time:
    now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture(scope="module")
def time() -> Time:
    return Time()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, time: Time) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("console"), ModelRecords(seed=6, people=20, events=300), time) as made:
        yield made


def test_the_pages_with_personal_data_or_power_are_those_expected() -> None:
    """Another page must be put into this list deliberately."""
    by_right = {right: sorted(f"{method} {path}" for method, path, r in MATRIX if r == right) for right in Right}
    assert by_right[Right.OPERATE] == ["GET /quarantine", "GET /quarantine/x", "POST /quarantine/replay"]
    assert by_right[Right.TRY] == ["POST /rules/compare", "POST /segments/preview", "POST /triggers/dry-run"]
    assert by_right[Right.PRIVACY] == [
        "GET /privacy", "GET /privacy/requests/r", "GET /privacy/requests/r/live", "POST /privacy/confirm",
        "POST /privacy/send",
    ]  # fmt: skip
    assert by_right[Right.DISCLOSE] == ["POST /privacy/access"]
    assert by_right[Right.ADMIN] == [
        "GET /audit", "GET /users", "POST /users", "POST /users/n/remove", "POST /users/n/role",
    ]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "right"), MATRIX, ids=str)
def test_no_page_answers_without_a_session(world: World, method: str, path: str, right: Right) -> None:
    client = world.client()
    answer = client.request(method, path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")
    part = client.request(method, path, headers={"hx-request": "true"})
    assert (part.status_code, part.headers["hx-redirect"], part.text) == (401, "/sign-in", "")
    client.cookies.set("stitchline_session", "forged")
    assert client.request(method, path).status_code == 303


@pytest.mark.parametrize("role", Role)
def test_a_role_reaches_the_pages_of_its_rights_only(world: World, role: Role) -> None:
    client = world.client(f"{role.value}@shop.example")
    for method, path, right in MATRIX:
        if right not in RIGHTS[role]:
            answer = client.request(method, path)
            assert answer.status_code == 403, (role, method, path)
            assert f"The role {role.value} does not include" in answer.text
        elif method == "GET" and "/quarantine/" not in path and "/requests/" not in path:
            assert client.request(method, path).status_code in {200, 400, 404}, (role, method, path)


@pytest.mark.parametrize("path", [path for method, path, _ in MATRIX if method == "POST"])
def test_a_form_of_another_session_or_site_does_nothing(world: World, path: str) -> None:
    client, other = world.client("admin@shop.example"), world.client("admin@shop.example")
    own, foreign = csrf_of(client), csrf_of(other)
    for form, headers in (
        ({}, {}),
        ({"csrf": ""}, {}),
        ({"csrf": foreign}, {}),
        ({}, {"x-csrf-token": foreign}),
        ({"csrf": own}, {"origin": "https://evil.example"}),
        ({"csrf": own}, {"origin": "null"}),
    ):
        answer = client.post(path, data={"when": "orders >= 1", **form}, headers=headers)
        assert answer.status_code == 403, (path, form, headers)
    assert client.get("/").status_code == 200


def test_a_form_must_be_a_form_of_bounded_size(world: World) -> None:
    client = world.client("admin@shop.example")
    csrf = {"x-csrf-token": csrf_of(client)}
    assert (
        client.post("/segments/preview", content=b"{}", headers=csrf | {"content-type": "application/json"}).status_code
        == 415
    )
    form = csrf | {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/segments/preview", content=b"a=" + b"x" * (1 << 20), headers=form).status_code == 413
    assert client.post("/segments/preview", content=b"a=1&" * 200, headers=form).status_code == 400


def test_an_old_session_is_over(world: World, time: Time) -> None:
    client = world.client("viewer@shop.example")
    assert client.get("/").status_code == 200
    time.now_ms += IDLE_MS
    assert client.get("/").status_code == 303


def test_signing_out_ends_the_session_on_the_server(world: World) -> None:
    client = world.client("viewer@shop.example")
    token = client.cookies["stitchline_session"]
    assert client.post("/sign-out", data={"csrf": csrf_of(client, "/")}).status_code == 303
    client.cookies.set("stitchline_session", token)
    assert client.get("/").status_code == 303


def test_cookies_are_strict_and_secure_over_tls(world: World) -> None:
    plain = sign_in(world.client(), "viewer@shop.example", PASSWORD).headers.get_list("set-cookie")
    assert any(
        cookie.startswith("stitchline_session=") and "HttpOnly" in cookie and "SameSite=strict" in cookie
        for cookie in plain
    )
    secure = sign_in(world.client(base="https://testserver"), "viewer@shop.example", PASSWORD)
    cookies = secure.headers.get_list("set-cookie")
    assert any(cookie.startswith("__Host-stitchline_session=") and "Secure" in cookie for cookie in cookies)
    assert "strict-transport-security" in secure.headers


@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/console.js", "/nowhere"])
def test_every_answer_has_the_policy_that_stops_inline_scripts(world: World, path: str) -> None:
    answer = world.client("viewer@shop.example" if path == "/" else "").get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ("immutable" in answer.headers["cache-control"]) == path.startswith("/static/")


def test_wrong_passwords_are_refused_alike_and_then_locked(world: World, time: Time) -> None:
    client = world.client()
    for name in ("viewer@shop.example", "nobody@shop.example"):
        answers = [sign_in(client, name, "wrong wrong wrong") for _ in range(PER_PAIR + 1)]
        assert [answer.status_code for answer in answers] == [403] * PER_PAIR + [429]
        assert all("Name or password is wrong." in answer.text for answer in answers[:-1])
        assert int(answers[-1].headers["retry-after"]) > 0
    assert sign_in(client, "viewer@shop.example", PASSWORD).status_code == 429
    time.now_ms += WINDOW_MS
    assert sign_in(client, "viewer@shop.example", PASSWORD).status_code == 303


def test_a_sign_in_form_of_another_site_signs_nobody_in(world: World) -> None:
    client = world.client()
    answer = client.post("/sign-in", data={"csrf": "guess", "name": "admin@shop.example", "password": PASSWORD})
    assert answer.status_code == 403
    assert "stitchline_session" not in client.cookies


@pytest.mark.parametrize(
    ("back", "to"),
    [("/leads?kind=lead", "/leads?kind=lead"), ("//evil.example", "/"), ("https://evil.example/x", "/"),
     ("/\\evil.example", "/"), ("javascript:alert(1)", "/"), ("/a\r\nset-cookie: x=1", "/"), ("", "/")],
)  # fmt: skip
def test_signing_in_leads_back_to_a_page_of_this_server_only(world: World, back: str, to: str) -> None:
    assert sign_in(world.client(), "operator@shop.example", PASSWORD, back=back).headers["location"] == to


def test_a_viewer_and_an_operator_see_no_personal_data(world: World) -> None:
    profile_id, values = _somebody(world)
    own = f"/customers/{profile_id}"
    pages = ["/", "/customers", own, f"{own}/graph", f"{own}/timeline", "/leads", "/segments/engaged", "/audit"]
    for role in (Role.VIEWER, Role.OPERATOR):
        client = world.client(f"{role.value}@shop.example")
        for path in pages:
            text = client.get(path).text
            assert [value for value in values if value in text] == [], (role, path)
    marketer = world.client("marketer@shop.example")
    assert all(value in marketer.get(f"/customers/{profile_id}").text for value in values)


def test_reading_personal_data_is_recorded_and_reading_masked_pages_is_not(world: World) -> None:
    profile_id, _ = _somebody(world)
    before = len(_audit(world))
    world.client("viewer@shop.example").get(f"/customers/{profile_id}")
    assert len(_audit(world)) == before
    world.client("marketer@shop.example").get(f"/customers/{profile_id}")
    (line,) = _audit(world)[before:]
    assert (line["actor"], line["tenant"]) == ("user marketer@shop.example", "default")
    assert (line["action"], line["profile_ids"]) == ("console customer", [profile_id])


def test_another_tenant_sees_and_changes_nothing_of_this_one(world: World) -> None:
    profile_id, values = _somebody(world)
    client = world.client("admin@other.example")
    for path in ("/", "/customers", "/leads", "/audit", "/users", "/segments/engaged"):
        text = client.get(path).text
        assert [value for value in (profile_id, "shop.example", *values) if value in text] == [], path
    assert client.get(f"/customers/{profile_id}").status_code == 404
    csrf = csrf_of(client)
    for path, form in (
        ("/users/viewer@shop.example/remove", {}),
        ("/users/viewer@shop.example/role", {"role": "admin"}),
    ):
        assert client.post(path, data={"csrf": csrf, **form}).status_code == 400
    assert world.users.find("viewer@shop.example") is not None


def test_an_administrator_adds_changes_and_removes_users_but_not_the_own(world: World) -> None:
    client = world.client("admin@shop.example")
    csrf = {"csrf": csrf_of(client)}
    new = {"name": "new@shop.example", "password": PASSWORD, "role": "viewer"}
    assert client.post("/users", data=csrf | new | {"password": "short"}).status_code == 400
    assert client.post("/users", data=csrf | new | {"role": "root"}).status_code == 400
    assert client.post("/users", data=csrf | new).status_code == 303
    theirs = world.client("new@shop.example")
    assert client.post("/users/new@shop.example/role", data=csrf | {"role": "operator"}).status_code == 303
    found = world.users.find("new@shop.example")
    assert found is not None
    assert found.role == Role.OPERATOR
    assert client.post("/users/new@shop.example/remove", data=csrf).status_code == 303
    assert theirs.get("/").status_code == 303
    assert client.post("/users/admin@shop.example/remove", data=csrf).status_code == 400
    assert world.users.find("admin@shop.example") is not None


def _somebody(world: World) -> tuple[str, list[str]]:
    """A customer with a lead, and what nobody without the right may see of it."""
    action = world.reads.leads.page("default").items[0]
    profile_id = action["profile_id"]
    view = world.reads.profiles.detail("default", profile_id)
    assert view is not None
    return profile_id, [identifier.partition(":")[2] for identifier in view["identifiers"]]


def _audit(world: World) -> list[dict[str, object]]:
    files = sorted(Path(world.audit).glob("audit-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_without_kafka_the_privacy_page_says_so_and_an_open_one_stays_as_it_is(world: World) -> None:
    client = world.client("operator@shop.example")
    assert "The requests cannot be read now." in client.get("/privacy").text
    assert client.get("/privacy/requests/r").status_code == 503
    assert client.get("/privacy/requests/r/live").status_code == 204
    form = {"csrf": csrf_of(client, "/privacy"), "kind": "erase", "identifier": "user_id:ada", "why": "t 1"}
    for path in ("/privacy/confirm", "/privacy/send"):
        answer = client.post(path, data={**form, "again": "user_id:ada"})
        assert answer.status_code == 503
        assert "no Kafka broker answers" in answer.text
    assert "privacy" not in str(_audit(world))
