"""Sign-in at a real OpenID provider on the loopback interface, and the attacks that such a sign-in must withstand."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from pipeline.clock import wall_clock_ms
from pipeline.serve.signin.oidc.configuration import OidcConfiguration, OidcSettingsError, oidc_configuration
from pipeline.serve.signin.oidc.flow import OidcSignIn
from pipeline.serve.signin.oidc.provider import ProviderError
from pipeline.serve.signin.roles import Role
from pipeline.serve.signin.users import UserError
from pipeline.settings import Settings
from tests.support.console import PASSWORD, World, csrf_of
from tests.support.model_records import ModelRecords
from tests.support.openid_provider import CLIENT, SECRET, Key, OpenIdProvider, openid_provider
from tests.support.waiting import deadline_seconds

CONSOLE = "http://127.0.0.1:8090"
CALLBACK = "/sign-in/oidc/callback"
IN_2001, IN_2096 = 1_000_000_000, 4_000_000_000


@pytest.fixture(scope="module")
def running() -> Iterator[OpenIdProvider]:
    with openid_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: OpenIdProvider) -> OpenIdProvider:
    running.reset()
    return running


def settings_of(issuer: str, **more: Any) -> Settings:
    chosen = {
        "oidc_issuer": issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET),
        "oidc_roles": "it=admin,sellers=marketer,it-operators=operator", "serve_public_url": CONSOLE,
    }  # fmt: skip
    return Settings(**{**chosen, **more})


def configuration_of(issuer: str, **more: Any) -> OidcConfiguration:
    made = oidc_configuration(settings_of(issuer, **more))
    assert made is not None
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, running: OpenIdProvider) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("console")
    records = ModelRecords(seed=6, people=20, events=200)
    with World(folder, records, wall_clock_ms, oidc=configuration_of(running.issuer)) as made:
        yield made


def browser(world: World) -> TestClient:
    return world.client(base=CONSOLE)


def returned(client: TestClient, provider: OpenIdProvider, back: str = "") -> str:
    """Begins a sign-in, is signed in at the provider, and returns the path to which the provider sends the browser."""
    begun = client.get("/sign-in/oidc", params={"back": back} if back else {})
    assert begun.status_code == 303, begun.text
    assert begun.headers["location"].startswith(f"{provider.issuer}/authorize?")
    there = httpx2.get(begun.headers["location"])
    assert there.status_code == 303
    address = there.headers["location"]
    assert address.startswith(CONSOLE + CALLBACK)
    return address.removeprefix(CONSOLE)


def sign_in(world: World, provider: OpenIdProvider, **person: Any):
    client = browser(world)
    provider.person |= person
    return client, client.get(returned(client, provider))


def refused(client: TestClient, answer, says: str, status: int = 403) -> None:
    assert answer.status_code == status, answer.text
    assert says in answer.text
    assert "stitchline_session" not in client.cookies
    assert client.get("/").status_code == 303


def test_a_person_signs_in_with_the_role_of_the_first_mapped_group_and_signs_out(world, provider) -> None:
    client, answer = sign_in(world, provider, groups=["staff", "it-operators", "sellers"])
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0;url=/"' in answer.text
    page = client.get("/")
    assert page.status_code == 200
    assert "ann@idp.example" in page.text
    user = world.users.find("ann@idp.example")
    assert (user.role, user.tenant, user.is_external) == (Role.MARKETER, "default", True)
    out = client.post("/sign-out", data={"csrf": csrf_of(client, "/")})
    assert out.status_code == 200
    link = re.search(r'href="([^"]+/end\?[^"]+)"', out.text)
    assert link is not None
    query = parse_qs(urlsplit(link[1].replace("&amp;", "&")).query)
    assert query == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{CONSOLE}/sign-in"]}
    assert client.get("/").status_code == 303


def test_cookies_of_the_sign_in_are_short_lived_and_the_session_is_strict_and_new(world, provider) -> None:
    client = browser(world)
    client.cookies.set("stitchline_session", "fixed-by-an-attacker")
    begun = client.get("/sign-in/oidc")
    (cookie,) = begun.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
    answer = client.get(httpx2.get(begun.headers["location"]).headers["location"].removeprefix(CONSOLE))
    cookies = answer.headers.get_list("set-cookie")
    (session,) = (text for text in cookies if text.startswith("stitchline_session="))
    assert "SameSite=strict" in session
    assert "HttpOnly" in session
    assert "fixed-by-an-attacker" not in session
    assert any(text.startswith('stitchline_oidc=""') and "Max-Age=0" in text for text in cookies)
    again = browser(world)
    again.get(returned(again, provider))
    assert again.cookies["stitchline_session"] != session.partition(";")[0].partition("=")[2]


def test_the_request_to_the_provider_carries_fresh_state_nonce_and_challenge(world, provider) -> None:
    queries = [parse_qs(urlsplit(browser(world).get("/sign-in/oidc").headers["location"]).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        (one,), (other,) = (query[name] for query in queries)
        assert len(one) >= 43
        assert one != other
    assert queries[0]["redirect_uri"] == [CONSOLE + CALLBACK]


@pytest.mark.parametrize("groups", [[], ["staff"], None, "staff", {"it": True}, [1, ["it"]], ["IT"]], ids=str)
def test_a_person_without_a_mapped_role_has_no_access_and_is_told_so(world, provider, groups) -> None:
    client, answer = sign_in(world, provider, sub="2002", email="none@idp.example", groups=groups)
    refused(client, answer, "you have no role here")
    assert world.users.find("none@idp.example") is None


def test_losing_the_role_ends_the_sessions_and_another_role_does_too(world, provider) -> None:
    person = {"sub": "3003", "email": "bob@idp.example"}
    first, _ = sign_in(world, provider, **person)
    assert first.get("/users").status_code == 200
    second, _ = sign_in(world, provider, **person, groups=["sellers"])
    assert first.get("/").status_code == 303
    assert second.get("/users").status_code == 403
    assert second.get("/").status_code == 200
    third, answer = sign_in(world, provider, **person, groups=[])
    refused(third, answer, "you have no role here")
    assert second.get("/").status_code == 303
    assert world.users.find("bob@idp.example") is None


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of-another-sign-in"}, {"nonce": None}, {"nonce": 7},
        {"iss": "https://evil.example"}, {"iss": None},
        {"aud": "another-client"}, {"aud": None}, {"aud": []},
        {"aud": [CLIENT, "another-client"]}, {"azp": "another-client", "aud": [CLIENT, "another-client"]},
        {"exp": IN_2001}, {"exp": None}, {"exp": "later"},
        {"iat": IN_2096}, {"iat": None},
        {"sub": None}, {"sub": ""}, {"sub": "s" * 256}, {"sub": "a\0"}, {"sub": "é"}, {"sub": 1},
        {"nonce": "\ud800"},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_is_not_for_this_sign_in_is_refused(world, provider, claims) -> None:
    provider.claims = claims
    client, answer = sign_in(world, provider, email="mallory@idp.example")
    refused(client, answer, "could not be verified")
    assert world.users.find("mallory@idp.example") is None


@pytest.mark.parametrize("algorithm", ["none", "HS256", "None", "RS512", "", [], 7, None], ids=str)
def test_a_token_must_be_signed_by_an_allowed_algorithm_truthfully(world, provider, algorithm) -> None:
    provider.algorithm = algorithm
    client, answer = sign_in(world, provider)
    refused(client, answer, "could not be verified")


def test_a_token_of_a_foreign_key_is_refused_even_under_a_known_id(world, provider) -> None:
    foreign = Key()
    provider.signer = foreign
    client, answer = sign_in(world, provider)
    refused(client, answer, "could not be verified")
    foreign.key_id = provider.keys[-1].key_id
    client, answer = sign_in(world, provider)
    refused(client, answer, "could not be verified")


def test_a_rotated_key_is_fetched_and_one_that_was_withdrawn_is_refused(world, provider) -> None:
    old = provider.keys[-1]
    assert sign_in(world, provider)[1].status_code == 200
    provider.keys[:] = [old, Key()]
    assert sign_in(world, provider)[1].status_code == 200
    provider.keys[:] = [Key()]
    assert sign_in(world, provider)[1].status_code == 200
    provider.signer = old
    client, answer = sign_in(world, provider)
    refused(client, answer, "could not be verified")


def test_state_code_and_cookie_are_those_of_one_browser_and_work_once(world, provider) -> None:
    client, victim = browser(world), browser(world)
    path = returned(client, provider)
    refused(victim, victim.get(path), "not begun in this browser")  # without the cookie
    returned(victim, provider)
    refused(victim, victim.get(path), "not begun in this browser")  # with the cookie of another sign-in
    cookie = client.cookies["stitchline_oidc"]
    assert client.get(path).status_code == 200
    replayed = browser(world)
    refused(replayed, replayed.get(path), "not begun in this browser")
    replayed.cookies.set("stitchline_oidc", cookie)
    refused(replayed, replayed.get(path), "not begun in this browser")  # the provider takes a code once


def test_a_code_of_another_sign_in_is_refused_by_its_challenge(world, provider) -> None:
    """An attacker who makes a victim's browser send the attacker's code, with the victim's own state."""
    attacker, victim = browser(world), browser(world)
    code = parse_qs(urlsplit(returned(attacker, provider)).query)["code"][0]
    state = parse_qs(urlsplit(returned(victim, provider)).query)["state"][0]
    refused(victim, victim.get(CALLBACK, params={"code": code, "state": state}), "not begun in this browser")


@pytest.mark.parametrize("cookie", ["", "x", "e30=", "eyJzdGF0ZSI6IiJ9", "\x7f", "W10=", "a" * 5000])
def test_any_cookie_and_any_query_are_answered(world, provider, cookie) -> None:
    for query in (
        {},
        {"state": ""},
        {"code": "c"},
        {"state": "x", "code": "é"},
        {"error": "<script>"},
        {"x": "y" * 9000},
    ):
        client = browser(world)
        client.cookies.set("stitchline_oidc", cookie)
        answer = client.get(CALLBACK, params=query)
        assert answer.status_code == 403
        assert "<script>" not in answer.text


def test_an_error_of_the_provider_and_an_answer_of_another_issuer_are_refused(world, provider) -> None:
    client = browser(world)
    state = parse_qs(urlsplit(returned(client, provider)).query)["state"][0]
    refused(client, client.get(CALLBACK, params={"error": "access_denied", "state": state}), "did not sign you in")
    client = browser(world)
    path = returned(client, provider)
    refused(client, client.get(f"{path}&iss=https://evil.example"), "could not be verified")
    client = browser(world)
    path = returned(client, provider)
    assert client.get(f"{path}&iss={provider.issuer}").status_code == 200


@pytest.mark.parametrize(
    ("back", "to"),
    [("/leads?kind=lead", "/leads?kind=lead"), ("//evil.example", "/"), ("https://evil.example/x", "/"),
     ("/\\evil.example", "/"), ("javascript:alert(1)", "/"), ("/a\r\nset-cookie: x=1", "/"), ("/" + "a" * 1500, "/")],
)  # fmt: skip
def test_a_sign_in_leads_back_to_a_page_of_this_server_only(world, provider, back, to) -> None:
    client = browser(world)
    answer = client.get(returned(client, provider, back))
    assert f'content="0;url={to}"' in answer.text


def test_a_name_of_another_user_is_not_taken_over(world, provider) -> None:
    client, answer = sign_in(world, provider, sub="4004", email="Admin@shop.example")
    refused(client, answer, "belongs to another user")
    assert world.client("admin@shop.example").get("/users").status_code == 200  # the local user is as before
    assert sign_in(world, provider, sub="5005", email="carl@idp.example")[1].status_code == 200
    client, answer = sign_in(world, provider, sub="5006", email="carl@idp.example")  # a re-assigned address
    refused(client, answer, "belongs to another user")
    client, answer = sign_in(world, provider, sub="5005", email="renamed@idp.example")
    assert answer.status_code == 200
    assert "carl@idp.example" in client.get("/").text


@pytest.mark.parametrize(
    ("person", "says"),
    [
        ({"email_verified": False}, "has not verified the claim email"),
        ({"email": None}, "has no claim email"),
        ({"email": "  "}, "has no claim email"),
        ({"email": "a/b"}, "is no user name"),
        ({"email": "x" * 65}, "is no user name"),
    ],
)
def test_a_person_without_a_usable_name_is_refused(world, provider, person, says) -> None:
    client, answer = sign_in(world, provider, sub="6006", **person)
    refused(client, answer, says)


def test_a_user_of_the_provider_has_no_password_and_no_role_of_the_console(world, provider) -> None:
    sign_in(world, provider, sub="7007", email="dan@idp.example")
    assert world.users.verified("dan@idp.example", "") is None
    with pytest.raises(UserError, match="OpenID provider"):
        world.users.set_password("dan@idp.example", PASSWORD)
    with pytest.raises(UserError, match="OpenID provider"):
        world.users.set_role("dan@idp.example", Role.VIEWER)
    world.users.remove("dan@idp.example")
    assert sign_in(world, provider, sub="7008", email="dan@idp.example")[1].status_code == 200


def test_local_users_sign_in_beside_the_provider_and_while_it_is_away(world, provider) -> None:
    page = world.client().get("/sign-in?back=/leads").text
    assert '<a class="button primary wide" href="/sign-in/oidc?back=/leads">' in page
    assert 'name="password"' in page
    client = browser(world)
    path = returned(client, provider)
    provider.is_away = True
    refused(client, client.get(path), "cannot be used now", 503)
    assert world.client("viewer@shop.example").get("/").status_code == 200


def test_the_provider_is_checked_at_the_start(provider, tmp_path: Path, world) -> None:
    def check(issuer: str) -> None:
        OidcSignIn(configuration_of(issuer), world.store.engine, wall_clock_ms).check()

    check(provider.issuer)
    check("http://127.0.0.1:1")  # away: logged, tried again at a sign-in
    with pytest.raises(ProviderError, match="set STITCHLINE_OIDC_ISSUER to the provider's own"):
        check(f"{provider.issuer}/")
    for change in (
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": 7},
        {"issuer": "https://evil.example"},
    ):
        provider.metadata = change
        with pytest.raises(ProviderError):
            check(provider.issuer)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"oidc_client_id": ""}, "STITCHLINE_OIDC_CLIENT_ID"),
        ({"oidc_roles": ""}, "STITCHLINE_OIDC_ROLES"),
        ({"oidc_roles": "it=root"}, "'it=root' is not VALUE=ROLE"),
        ({"oidc_roles": "admin"}, "'admin' is not VALUE=ROLE"),
        ({"serve_public_url": ""}, "STITCHLINE_SERVE_PUBLIC_URL"),
        ({"serve_public_url": "http://console.example"}, "needs https"),
        ({"oidc_issuer": "http://idp.example"}, "https"),
        ({"oidc_issuer": "https://idp.example?x=1"}, "without a query"),
        ({"oidc_scopes": "email"}, "openid"),
        ({"oidc_client_secret_file": Path("/nowhere")}, "keep one of them"),
        ({"oidc_client_secret_file": Path("/nowhere"), "oidc_client_secret": SecretStr("")}, "cannot be read"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_with_what_to_write(change, says) -> None:
    with pytest.raises(OidcSettingsError, match=says):
        oidc_configuration(settings_of("https://idp.example", **change))


def test_settings_are_read_as_documented(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    made = configuration_of(
        "https://idp.example", oidc_client_secret=SecretStr(""), oidc_client_secret_file=tmp_path / "secret",
        oidc_roles="cn=sellers;ou=x=marketer, it = admin",
    )  # fmt: skip
    assert made.client_secret == "from a file"
    assert made.roles == (("cn=sellers;ou=x", Role.MARKETER), ("it", Role.ADMIN))
    assert made.redirect_uri == CONSOLE + CALLBACK
    assert oidc_configuration(Settings()) is None


def test_serve_checks_the_settings_before_it_listens(tmp_path: Path) -> None:
    environment = {
        **os.environ, "STITCHLINE_HOME": str(tmp_path), "STITCHLINE_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "STITCHLINE_OIDC_ISSUER": "https://idp.example",
    }  # fmt: skip
    command = [sys.executable, "-m", "pipeline.cli", "serve", "--role", "api", "--port", "0"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=deadline_seconds(), check=False
    )
    assert done.returncode == 1
    assert "STITCHLINE_OIDC_CLIENT_ID: sign-in by OpenID Connect needs it" in done.stderr
