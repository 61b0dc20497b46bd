"""Logins: tokens that expire, secrets that are rotated, limits, data centres, and one login for many callers."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import httpx2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from connectors.crm.access_key import AccessKey, Key
from connectors.crm.connect import budget_of
from connectors.crm.exchange import Answer
from connectors.crm.fault import StoppedError
from connectors.crm.oauth import key_of, log_in, login_of
from connectors.crm.sink import Pause
from pipeline.errors import SecretError
from pipeline.rules.crm import CrmConnection, CrmField, CrmLogin
from tests.crm import emulator as faults
from tests.crm.dynamics.emulator import Dynamics
from tests.crm.emulator import SECRET
from tests.crm.salesforce.emulator import Salesforce
from tests.crm.world import World, action
from tests.crm.zoho.emulator import Zoho
from tests.support.crm_log import Stop

WITH_LOGIN = ("salesforce", "dynamics", "zoho")


@pytest.fixture(params=WITH_LOGIN)
def world(request) -> World:
    return World(request.param)


def logins(world: World) -> int:
    assert isinstance(world.crm, Salesforce | Dynamics | Zoho)
    return world.crm.logins


def test_one_login_serves_all_requests_until_the_token_expires(world):
    world.send(*(action(number) for number in range(500)))
    world.run()
    assert logins(world) == 1
    world.crm.expire()
    world.send(action(1, 2))
    runner = world.open()
    world.crm.expire()
    runner.run(Stop(world.clock), drain=True)

    assert logins(world) == 2
    assert runner.delivered == 1


def test_a_login_over_its_limit_pauses_the_sink_and_costs_no_lead(world):
    limited = httpx2.Response(429, headers={"Retry-After": "40"}, json={"error": "rate limit exceeded"})
    world.crm.login_fault = limited
    world.send(action(1))
    runner = world.open()
    runner.run(Stop(world.clock, 3))
    assert "slow_down, the login is not accepted" in runner.not_ready()[0]
    world.crm.login_fault = None
    start = world.clock.now_ms
    runner.run(Stop(world.clock), drain=True)

    assert (runner.delivered, runner.quarantined) == (1, 0)
    assert 30_000 < world.clock.now_ms - start < 60_000


def test_zoho_s_answer_to_too_many_logins_is_a_limit():
    body = {"error": "Access Denied", "error_description": "You have made too many requests continuously."}
    with pytest.raises(StoppedError, match="slow_down"):
        key_of(Answer(status=400, body=body))


@pytest.mark.parametrize("body", [None, {}, {"access_token": ""}, {"access_token": 5}, {"error": "invalid_code"}])
def test_an_answer_without_a_token_is_a_refused_login(body):
    with pytest.raises(StoppedError, match="key_refused, the login is not accepted"):
        key_of(Answer(status=200, body=body))


def test_the_api_of_a_zoho_organisation_is_where_the_login_says():
    assert key_of(Answer(status=200, body={"access_token": "t", "api_domain": "https://www.zohoapis.in"})) == Key(
        "t", "https://www.zohoapis.in"
    )
    connection = CrmConnection(
        name="z", kind="zoho", secret=SECRET, url="https://accounts.zohocloud.ca",
        login=CrmLogin(client_id="c", refresh_token="env:REFRESH"),
        fields=(CrmField(to="Last_Name", value="contact.lastName", default="Unknown"),),
    )  # fmt: skip
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"access_token": "t"}))
    with httpx2.Client(transport=transport) as client:
        key = log_in(client, connection, str, lambda: 0)
    assert key == Key("t", "https://www.zohoapis.ca")


@pytest.fixture(scope="module")
def key_pair() -> tuple[str, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


def test_salesforce_takes_a_signed_assertion_instead_of_a_secret(key_pair):
    world = World("salesforce", login=CrmLogin(client_id="consumer-key", user="robot@shop.example"))
    assert isinstance(world.crm, Salesforce)
    world.secrets[SECRET], world.crm.public_key = key_pair
    world.send(action(1))

    assert world.run().delivered == 1


def test_a_secret_that_is_no_private_key_is_named():
    connection = World("salesforce", login=CrmLogin(client_id="consumer-key", user="robot@shop.example")).connection
    with pytest.raises(SecretError, match="the secret of crm is no RSA private key in PEM form"):
        login_of(connection, lambda _: "not a key", 0)


def test_many_callers_with_a_refused_key_fetch_one_new_key():
    fetches, meet = [], Barrier(8)

    def fetch() -> str:
        fetches.append(len(fetches))
        return f"key {len(fetches)}"

    key = AccessKey(fetch)
    first = key.current()

    def call(_: int) -> Key:
        meet.wait(30)
        return key.after(first)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(8))) == {Key("key 2")}
    assert len(fetches) == 2


def test_callers_that_wait_for_a_failing_login_do_not_log_in_themselves():
    fetches, entered, go_on = [], Event(), Event()

    def fetch() -> str:
        fetches.append(1)
        entered.set()
        go_on.wait(30)
        raise StoppedError(Pause(0, "limited"))

    key = AccessKey(fetch)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(key.current)
        entered.wait(30)
        second = pool.submit(key._next, None, 0)  # it began to wait before the first fetch
        go_on.set()
        for one in (first, second):
            with pytest.raises(StoppedError, match="limited"):
                one.result(30)
    assert len(fetches) == 1


def test_the_share_of_a_day_s_requests_is_kept_for_others():
    world = World("salesforce", day_share=0.9)
    assert isinstance(world.crm, Salesforce)
    world.crm.usage = (95_000, 100_000)
    world.send(action(1))
    runner = world.open()
    runner.run(Stop(world.clock, 3))
    assert "quota, 95% of the day's requests are used, crm.yaml allows 90%" in runner.not_ready()[0]
    assert len(world.crm.calls) == 2, "one login and one request"
    world.crm.usage = (10, 100_000)
    runner.run(Stop(world.clock), drain=True)
    assert (runner.delivered, runner.quarantined) == (1, 0)


@pytest.mark.parametrize(("left", "total", "pauses"), [(1000, 50_000, True), (9000, 50_000, False), (0, 0, True)])
def test_zoho_s_credits_are_a_share_of_the_declared_ones(left, total, pauses):
    connection = msgspec.structs.replace(World("zoho").connection, day_requests=total)
    budget = budget_of(connection)
    budget.note({"x-api-credits-remaining": str(left)}, 0)

    assert bool(budget.left_ms(0)) is pauses


def test_a_token_endpoint_without_an_answer_is_an_outage(world):
    start = world.clock.now_ms
    world.crm.login_fault = httpx2.Response(503, text="<html>")
    world.send(action(1))
    runner = world.open()
    runner.run(Stop(world.clock, 3))
    assert "outage, the login is not accepted: HTTP 503" in runner.not_ready()[0]
    world.crm.login_fault = None
    runner.run(Stop(world.clock), drain=True)
    assert runner.delivered == 1
    assert world.clock.now_ms - start < 10_000


def test_a_second_refusal_of_a_new_token_pauses_the_sink(world):
    world.crm.planned = [faults.KEY_EXPIRED] * 2
    start = world.clock.now_ms
    world.send(action(1))
    runner = world.run()

    assert runner.delivered == 1
    assert world.clock.now_ms - start == 1_000
