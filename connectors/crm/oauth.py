"""Logins that give an access token for a secret, also that of HubSpot's journal. Requests and answers are pure.

Secrets are read again for each login, so a rotated one is in force as soon as the old token is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx2
import jwt
import msgspec

from connectors.crm.access_key import Key
from connectors.crm.exchange import NO_ANSWER, Answer
from connectors.crm.fault import Fault, StoppedError, pause_for
from connectors.crm.http import answer_of
from pipeline.clock import Clock
from pipeline.errors import SecretError
from pipeline.rules.crm import CrmConnection
from pipeline.rules.crm_back import CrmJournal

JWT_SECONDS: Final = 150
"""Life of the signed assertion. Salesforce refuses one that ends more than 3 minutes later."""
JWT_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JOURNAL_SCOPES: Final = (
    "developer.webhooks_journal.read", "developer.webhooks_journal.subscriptions.read",
    "developer.webhooks_journal.subscriptions.write",
)  # fmt: skip
LIMIT_WORDS: Final = ("too many requests", "rate limit", "login rate exceeded")
ReadSecret = Callable[[str], str]


class Login(msgspec.Struct, frozen=True):
    """One request for a token: a form that is posted."""

    url: str
    form: Mapping[str, str]


def login_of(connection: CrmConnection, read: ReadSecret, now_ms: int) -> Login:
    """Returns the request for a token of a connection.

    Raises:
        SecretError: A secret is not where the connection refers to, or no private key.
    """
    login, secret = connection.login, read(connection.secret)
    base = (login.url or connection.url).rstrip("/")
    client = {"client_id": login.client_id, "client_secret": secret}
    if connection.kind == "zoho":
        form = {"grant_type": "refresh_token", "refresh_token": read(login.refresh_token), **client}
        return Login(f"{base}/oauth/v2/token", form)
    if connection.kind == "dynamics":
        scope = f"{connection.url.rstrip('/')}/.default"
        form = {"grant_type": "client_credentials", "scope": scope, **client}
        return Login(f"{base}/{login.tenant_id}/oauth2/v2.0/token", form)
    if not login.user:
        return Login(f"{base}/services/oauth2/token", {"grant_type": "client_credentials", **client})
    assertion = _assertion(connection, secret, now_ms)
    return Login(f"{base}/services/oauth2/token", {"grant_type": JWT_GRANT, "assertion": assertion})


def journal_login_of(connection: CrmConnection, journal: CrmJournal, read: ReadSecret) -> Login:
    """Returns the request for a token of HubSpot's webhooks journal, which belongs to an app and not to an account.

    Source: HubSpot's guide "Webhooks journal", section "Authentication and scopes". The token also needs the scope of
    each type of object that is subscribed to.

    Raises:
        SecretError: The secret is not where the connection refers to.
    """
    read_back = {"contacts", *connection.back.objects}  # activities are read with their contacts
    objects = [f"crm.objects.{name}.read" for name in ("contacts", "companies", "deals") if name in read_back]
    form = {
        "grant_type": "client_credentials", "client_id": journal.client_id, "client_secret": read(journal.secret),
        "scope": " ".join((*JOURNAL_SCOPES, *objects)),
    }  # fmt: skip
    return Login(f"{connection.url.rstrip('/')}/oauth/{journal.version}/token", form)


def key_of(answer: Answer) -> Key:
    """Returns the key in the answer to a login.

    Raises:
        StoppedError: The login is refused, limited or not answered.
    """
    body = answer.body if isinstance(answer.body, dict) else {}
    token = body.get("access_token")
    if answer.ok and isinstance(token, str) and token:
        return Key(token, str(body.get("instance_url") or body.get("api_domain") or ""))
    words = answer.words_with(_reason(body) or answer.text or "no token and no reason")
    if answer.status == 429 or any(text in words.lower() for text in LIMIT_WORDS):
        fault = Fault.SLOW_DOWN
    elif answer.status == NO_ANSWER or answer.status >= 500:
        fault = Fault.OUTAGE
    else:
        fault = Fault.KEY_REFUSED
    raise StoppedError(pause_for(fault, f"the login is not accepted: {words}", answer.retry_after_ms))


def log_in(client: httpx2.Client, connection: CrmConnection, read: ReadSecret, clock: Clock) -> Key:
    """Requests a token. Waits at most the client's time limit.

    Raises:
        StoppedError: The login is refused, limited or not answered.
        SecretError: A secret is not where the connection refers to.
    """
    key = _posted(client, login_of(connection, read, clock()))
    return Key(key.text, key.url or _api_of(connection))


def log_in_to_journal(
    client: httpx2.Client, connection: CrmConnection, journal: CrmJournal, read: ReadSecret
) -> Key:  # fmt: skip
    """Requests a token of HubSpot's webhooks journal. Waits at most the client's time limit.

    Raises:
        StoppedError: The login is refused, limited or not answered.
        SecretError: The secret is not where the connection refers to.
    """
    return _posted(client, journal_login_of(connection, journal, read))


def _posted(client: httpx2.Client, login: Login) -> Key:
    try:
        response = client.post(login.url, data=dict(login.form))
    except httpx2.RequestError as error:
        return key_of(Answer(status=NO_ANSWER, text=f"no answer ({type(error).__name__})"))
    return key_of(answer_of(response))


def _api_of(connection: CrmConnection) -> str:
    """Returns the API of the data centre of a Zoho accounts server; "" for other CRMs, whose API is at their url."""
    if connection.kind != "zoho":
        return ""
    return connection.url.replace("accounts.zohocloud.", "www.zohoapis.").replace("accounts.zoho.", "www.zohoapis.")


def _reason(body: Mapping[str, Any]) -> str:
    return ": ".join(str(body[name]) for name in ("error", "error_description") if body.get(name))


def _assertion(connection: CrmConnection, private_key: str, now_ms: int) -> str:
    login = connection.login
    claims = {
        "iss": login.client_id, "sub": login.user, "aud": login.audience, "exp": now_ms // 1000 + JWT_SECONDS,
    }  # fmt: skip
    try:
        return jwt.encode(claims, private_key, algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        message = f"the secret of {connection.name} is no RSA private key in PEM form ({type(error).__name__})"
        raise SecretError(message) from error
