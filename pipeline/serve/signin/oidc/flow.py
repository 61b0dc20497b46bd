"""One sign-in at the provider: begun with a redirect, ended with the code that the browser brings back.

Nothing about a sign-in that is under way is stored on the server: a cookie, which only this browser has, holds state,
nonce, PKCE verifier and the page to return to. It is used once and lives ten minutes. A flood of begun sign-ins
therefore fills no table and locks no user out.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, NoReturn
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Engine

from pipeline.clock import Clock
from pipeline.obs.log import logger
from pipeline.serve.signin.federated import FederatedUsers
from pipeline.serve.signin.oidc.configuration import OidcConfiguration
from pipeline.serve.signin.oidc.id_token import (
    Identity,
    NoNameError,
    NoRoleError,
    TokenError,
    name_of,
    role_of,
    verified,
)
from pipeline.serve.signin.oidc.provider import CodeRefusedError, Provider, ProviderError, ProviderUnreachableError
from pipeline.serve.signin.users import User, UserError

TOKEN_BYTES: Final = 32
LIFETIME_SECONDS: Final = 600
MAX_BACK_CHARS: Final = 1000
"""A longer path does not fit into a cookie beside the rest: the person lands on the overview."""
STALE: Final = "The sign-in was not begun in this browser, or too long ago. Please start again."
INVALID: Final = "The provider's answer could not be verified. Please start again; the server's log has the reason."
AWAY: Final = "The provider cannot be used now. Try again, or see the server's log."
DENIED: Final = "The provider did not sign you in."
NO_ROLE: Final = "You are signed in at the provider, but you have no role here. Ask an administrator for one."

log = logger(__name__)


class SignInRefusedError(Exception):
    """The sign-in ends without a session. ``str(error)`` is shown; ``status`` is the HTTP status."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class UnderWay(msgspec.Struct, frozen=True):
    """What a browser keeps between the redirect and the return."""

    state: str
    nonce: str
    verifier: str
    back: str


class OidcSignIn:
    """Signs people in at one provider. Thread-safe."""

    def __init__(self, configuration: OidcConfiguration, engine: Engine, clock: Clock) -> None:
        self.configuration, self.provider = configuration, Provider(configuration)
        self._users = FederatedUsers(engine, clock)

    def check(self) -> None:
        """Fetches the provider's metadata at the start.

        A provider that does not answer is logged only: local users can sign in meanwhile, and it is tried again.

        Raises:
            ProviderError: the answer is not that of this issuer.
        """
        try:
            self.provider.metadata()
        except ProviderUnreachableError as error:
            log.warning("oidc_provider_unreachable", detail=str(error))

    def begin(self, back: str) -> tuple[str, str]:
        """Returns the provider's URL for the browser, and the value of the cookie that ``finish`` needs.

        Raises:
            SignInRefusedError: the provider cannot be used now.
        """
        state, nonce, verifier = (secrets.token_urlsafe(TOKEN_BYTES) for _ in range(3))
        under_way = UnderWay(state, nonce, verifier, back if len(back) <= MAX_BACK_CHARS else "/")
        try:
            endpoint = self.provider.metadata().authorization_endpoint
        except ProviderError as error:
            _refuse("provider", AWAY, 503, str(error))
        chosen = self.configuration
        address = _with_query(endpoint, {
            "response_type": "code", "client_id": chosen.client_id, "redirect_uri": chosen.redirect_uri,
            "scope": chosen.scopes, "state": under_way.state, "nonce": under_way.nonce,
            "code_challenge": _challenge(under_way.verifier), "code_challenge_method": "S256",
        })  # fmt: skip
        return address, urlsafe_b64encode(msgspec.json.encode(under_way)).decode()

    def finish(self, query: Mapping[str, str], cookie: str) -> tuple[User, str]:
        """Returns the signed-in user and the page to return to. The user is added or updated with name and role.

        Raises:
            SignInRefusedError: state, code or token are not those of this browser's sign-in, or there is no role.
        """
        under_way = _under_way(cookie)
        if under_way is None or not hmac.compare_digest(under_way.state.encode(), query.get("state", "").encode()):
            _refuse("state", STALE)
        issuer = query.get("iss", "")
        try:
            expects_issuer = self.provider.metadata().authorization_response_iss_parameter_supported
            if issuer != self.configuration.issuer and (issuer or expects_issuer):  # RFC 9207
                _refuse("response_issuer", INVALID)
            if "error" in query or not query.get("code"):
                _refuse("denied", DENIED)
            token = self.provider.exchange(query["code"], under_way.verifier)
            identity = verified(token, under_way.nonce, self.configuration, self.provider)
        except CodeRefusedError:
            _refuse("code", STALE)
        except TokenError as error:
            _refuse(f"token_{error}", INVALID)
        except ProviderError as error:
            _refuse("provider", AWAY, 503, str(error))
        return self._user(identity), under_way.back

    def sign_out_url(self) -> str:
        """Returns where a person can sign out at the provider too; "" if the provider has no such page."""
        metadata, chosen = self.provider.known_metadata(), self.configuration
        if metadata is None or not metadata.end_session_endpoint:
            return ""
        query = {"client_id": chosen.client_id, "post_logout_redirect_uri": f"{chosen.public_url}/sign-in"}
        return _with_query(metadata.end_session_endpoint, query)

    def _user(self, identity: Identity) -> User:
        """Returns the stored user. A person whose role was taken away loses user and sessions."""
        try:
            role = role_of(identity, self.configuration)
        except NoRoleError:
            self._users.remove(identity.issuer, identity.subject)
            _refuse("role", NO_ROLE)
        try:
            name = name_of(identity, self.configuration)
            return self._users.signed_in(identity.issuer, identity.subject, name, role, self.configuration.tenant)
        except (NoNameError, UserError) as error:
            _refuse("name", f"You have no name here: {error}.")


def _under_way(cookie: str) -> UnderWay | None:
    """Returns what a cookie holds, or None: a browser may send any text."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(cookie.encode()), type=UnderWay)
    except (ValueError, msgspec.DecodeError):
        return None


def _with_query(endpoint: str, query: Mapping[str, str]) -> str:
    """Returns the URL of an endpoint, which may have a query of its own, with more parameters."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def _challenge(verifier: str) -> str:
    """Returns the S256 challenge of RFC 7636."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refuse(reason: str, message: str, status: int = 403, detail: str = "") -> NoReturn:
    log.warning("oidc_sign_in_refused", reason=reason, detail=detail)
    raise SignInRefusedError(message, status)
