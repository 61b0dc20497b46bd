"""An OpenID provider on the loopback interface: discovery, signing keys, authorization, token and sign-out endpoints.

It keeps the rules of the protocol itself: a code is used once, only with its redirect URI, its client's secret and the
verifier of its challenge. Tokens are signed here without a JWT library, so that what judges them is not what made them.
A test makes it misbehave through its attributes.
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "stitchline console", "s3cret: 100% &"
"""Characters that must be encoded in a Basic header."""


class Key:
    """An RSA key with an id."""

    def __init__(self) -> None:
        self.key_id = secrets.token_hex(4)
        self._private = rsa.generate_private_key(65537, 2048)

    def jwk(self) -> dict[str, str]:
        numbers = self._private.public_key().public_numbers()
        return {"kty": "RSA", "use": "sig", "kid": self.key_id, "n": _number(numbers.n), "e": _number(numbers.e)}

    def sign(self, claims: dict[str, Any], algorithm: str = "RS256") -> str:
        """A token. ``none`` leaves it unsigned; ``HS256`` signs with the client's secret."""
        head = {"alg": algorithm, "kid": self.key_id, "typ": "JWT"}
        text = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
        if algorithm == "none":
            return f"{text}."
        if algorithm == "HS256":
            mac = hmac.HMAC(SECRET.encode(), hashes.SHA256())
            mac.update(text.encode())
            return f"{text}.{_encoded(mac.finalize())}"
        signature = self._private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_encoded(signature)}"


class OpenIdProvider:
    """The provider's state. ``person`` is signed in at it."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [Key()]
        self.person: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        """Replace claims of the next tokens; None removes one."""
        self.metadata: dict[str, Any] = {}
        """Replace members of the metadata."""
        self.algorithm = "RS256"
        self.signer: Key | None = None
        """Signs instead of the newest key."""
        self.is_away = False
        self.requests: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def reset(self) -> None:
        """Behaves again."""
        self.person = {"sub": "1001", "email": "ann@idp.example", "email_verified": True, "groups": ["it"]}
        self.claims, self.metadata, self.algorithm, self.signer, self.is_away = {}, {}, "RS256", None, False
        self.requests.clear()

    def discovery(self) -> dict[str, Any]:
        paths = {
            "authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys",
            "end_session_endpoint": "/end",
        }  # fmt: skip
        members = {name: f"{self.issuer}{path}" for name, path in paths.items()}
        return {"issuer": self.issuer, **members, **self.metadata}

    def authorize(self, query: dict[str, str]) -> str:
        """The URL that a browser is sent back to."""
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT)
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_hex(8)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, basic: str, form: dict[str, str]) -> tuple[int, dict[str, str]]:
        """The answer of the token endpoint."""
        name, _, secret = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
        if (unquote_plus(name), unquote_plus(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        begun = self._codes.pop(form["code"], None)
        if begun is None or begun["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if _encoded(sha256(form["code_verifier"].encode()).digest()) != begun["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        claims = {**claims, **self.person, **self.claims}
        stated = {name: value for name, value in claims.items() if value is not None}
        token = (self.signer or self.keys[-1]).sign(stated, self.algorithm)
        return 200, {"token_type": "Bearer", "access_token": "unused", "id_token": token}


@contextmanager
def openid_provider(host: str = "127.0.0.1") -> Iterator[OpenIdProvider]:
    """Runs a provider on the loopback interface, under a name of it. Another name is another site to a browser."""
    provider = OpenIdProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            provider.requests.append(parts.path)
            if provider.is_away:
                self._send(503, {})
            elif parts.path == "/authorize":
                self.send_response(303)
                self.send_header("location", provider.authorize(query))
                self.send_header("content-length", "0")
                self.end_headers()
            elif parts.path == "/keys":
                self._send(200, {"keys": [key.jwk() for key in provider.keys]})
            elif parts.path == "/.well-known/openid-configuration":
                self._send(200, provider.discovery())
            else:
                self._send(404, {})

        def do_POST(self) -> None:
            provider.requests.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._send(*(503, {}) if provider.is_away else provider.token(self.headers["authorization"] or "", form))

        def _send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        provider.issuer = f"http://{host}:{server.server_port}"
        provider.reset()
        yield provider
        server.shutdown()
        thread.join()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
