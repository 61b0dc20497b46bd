"""The OpenID provider over HTTP: discovery (OpenID Connect Discovery 1.0), signing keys, the token endpoint."""

import threading
import time
from typing import Any, Final, NamedTuple, NoReturn

import httpx2
import jwt
import msgspec

from pipeline.errors import OperatorError
from pipeline.serve.signin.oidc.configuration import OidcConfiguration, is_secure

WELL_KNOWN: Final = "/.well-known/openid-configuration"
TIMEOUT_SECONDS: Final = 10.0
METADATA_SECONDS: Final = 3600.0
"""How long discovery's answer and the signing keys are kept. A token with an unknown key has the keys fetched again."""
MAX_BYTES: Final = 1 << 20
BASIC: Final = "client_secret_basic"


class ProviderError(OperatorError):
    """The provider does not answer as the protocol demands. Operator action: compare the settings with the provider."""


class ProviderUnreachableError(ProviderError):
    """The provider does not answer. Operator action: check STITCHLINE_OIDC_ISSUER and the network."""


class CodeRefusedError(ProviderError):
    """The provider refused a code: it was used before, is too old, or belongs to another client or browser."""


class Metadata(msgspec.Struct, frozen=True):
    """What discovery states, as far as it is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = (BASIC,)
    authorization_response_iss_parameter_supported: bool = False


class _Known(NamedTuple):
    metadata: Metadata
    keys: list[dict[str, Any]]
    until: float


class Provider:
    """The provider of one configuration. Thread-safe. No redirect is followed.

    Raises (from every method that sends a request):
        ProviderUnreachableError: there is no answer.
        ProviderError: the answer is not that of the protocol.
    """

    def __init__(self, configuration: OidcConfiguration) -> None:
        self._configuration = configuration
        self._http = httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def metadata(self) -> Metadata:
        """Returns what discovery states, at most ``METADATA_SECONDS`` old."""
        return self._current().metadata

    def known_metadata(self) -> Metadata | None:
        """Returns what discovery stated last, without a request; None if it was not fetched yet."""
        return self._known.metadata if self._known else None

    def key(self, key_id: str, algorithm: str) -> jwt.PyJWK | None:
        """Returns the signing key of an id, or None. Fetches the keys again if it is unknown: providers rotate keys.

        Tokens come from the token endpoint only, so that a visitor cannot cause such requests by made-up ids.
        """
        known = self._current()
        return _key_in(known.keys, key_id, algorithm) or _key_in(self._fetched().keys, key_id, algorithm)

    def exchange(self, code: str, verifier: str) -> str:
        """Returns the ID token for a code.

        Raises:
            CodeRefusedError: the provider refused the code.
        """
        chosen, metadata = self._configuration, self.metadata()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": chosen.redirect_uri,
            "code_verifier": verifier, "client_id": chosen.client_id,
        }  # fmt: skip
        basic = None
        if chosen.client_secret and BASIC in metadata.token_endpoint_auth_methods_supported:
            basic = httpx2.BasicAuth(_encoded(chosen.client_id), _encoded(chosen.client_secret))
        elif chosen.client_secret:
            form["client_secret"] = chosen.client_secret
        answer = self._send(self._http.build_request("POST", metadata.token_endpoint, data=form), basic)
        if answer.status_code == httpx2.codes.BAD_REQUEST and _member(answer, "error") == "invalid_grant":
            message = "the provider refused the code"
            raise CodeRefusedError(message)
        token = _member(answer, "id_token") if answer.is_success else ""
        if not token:
            _refuse(f"the token endpoint answered {answer.status_code} {_member(answer, 'error')[:60]!r}, no ID token")
        return token

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _current(self) -> _Known:
        with self._lock:
            known = self._known
        return known if known is not None and time.monotonic() < known.until else self._fetched()

    def _fetched(self) -> _Known:
        """Fetches metadata and keys.

        The issuer must be the configured one, letter by letter: otherwise another provider could speak for it.
        """
        address = self._configuration.issuer.rstrip("/") + WELL_KNOWN
        metadata = self._read(address, Metadata)
        if metadata.issuer != self._configuration.issuer:
            _refuse(
                f"{address} states the issuer {metadata.issuer!r}: set STITCHLINE_OIDC_ISSUER to the provider's own"
            )
        endpoints = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
        for endpoint in (*endpoints, metadata.end_session_endpoint or metadata.token_endpoint):
            if not is_secure(endpoint):
                _refuse(f"{address} names {endpoint!r}, which is not https")
        keys = self._read(metadata.jwks_uri, dict[str, Any]).get("keys")
        if not isinstance(keys, list):
            _refuse(f"{metadata.jwks_uri} has no keys")
        known = _Known(metadata, [key for key in keys if isinstance(key, dict)], time.monotonic() + METADATA_SECONDS)
        with self._lock:
            self._known = known
        return known

    def _read(self, address: str, kind: type[Any]) -> Any:
        answer = self._send(self._http.build_request("GET", address), None)
        if not answer.is_success:
            _refuse(f"{address} answered {answer.status_code}")
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"{address}: {error}"
            raise ProviderError(message) from error

    def _send(self, request: httpx2.Request, basic: httpx2.BasicAuth | None) -> httpx2.Response:
        """Returns the answer, read to its end. Refuses one of more than ``MAX_BYTES``."""
        try:
            answer = self._http.send(request, auth=basic, stream=True)
            try:
                content = bytearray()
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > MAX_BYTES:
                        _refuse(f"{request.url} sent more than {MAX_BYTES} bytes")
            finally:
                answer.close()
        except httpx2.HTTPError as error:
            message = f"{request.url} does not answer: {type(error).__name__}"
            raise ProviderUnreachableError(message) from error
        headers = {name: value for name, value in answer.headers.items() if name.lower() == "content-type"}
        return httpx2.Response(answer.status_code, headers=headers, content=bytes(content))


def _key_in(keys: list[dict[str, Any]], key_id: str, algorithm: str) -> jwt.PyJWK | None:
    """Returns the key of an id that signs with the algorithm. Without an id, the only key that does."""
    found = []
    for key in keys:
        fits = key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm
        if fits and (not key_id or key.get("kid") == key_id):
            try:
                found.append(jwt.PyJWK.from_dict(key, algorithm))
            except jwt.PyJWTError:  # a key of another type than the algorithm's
                continue
    return found[0] if len(found) == 1 else None


def _member(answer: httpx2.Response, name: str) -> str:
    try:
        body = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    value = body.get(name) if isinstance(body, dict) else ""
    return value if isinstance(value, str) else ""


def _encoded(text: str) -> str:
    """Returns a part of a Basic header as RFC 6749, 2.3.1, demands it: encoded as in a form."""
    return str(httpx2.QueryParams({"": text}))[1:]


def _refuse(message: str) -> NoReturn:
    raise ProviderError(message)
