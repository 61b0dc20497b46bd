"""The settings of sign-in by OpenID Connect, checked as a whole."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pipeline.errors import OperatorError
from pipeline.serve.signin.roles import Role
from pipeline.settings import Settings, variable

CALLBACK: Final = "/sign-in/oidc/callback"
OPENID: Final = "openid"


class OidcSettingsError(OperatorError):
    """The settings of sign-in by OpenID Connect are incomplete or wrong. Operator action: ``str(error)`` states it."""


class OidcConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """How people sign in at a provider."""

    issuer: str
    client_id: str
    client_secret: str
    """Empty for a public client."""
    scopes: str
    name_claim: str
    role_claim: str
    roles: tuple[tuple[str, Role], ...]
    """Value of the claim and role. The first that a person has decides."""
    tenant: str
    label: str
    public_url: str

    @property
    def redirect_uri(self) -> str:
        """The URL to which the provider sends browsers back. The provider must know it."""
        return self.public_url + CALLBACK


def oidc_configuration(settings: Settings) -> OidcConfiguration | None:
    """Returns the configuration; None if no issuer is set.

    Raises:
        OidcSettingsError: a setting is missing or wrong, or the file with the secret cannot be read.
    """
    if not settings.oidc_issuer:
        return None
    for name in ("oidc_client_id", "oidc_roles", "serve_public_url"):
        if not getattr(settings, name):
            _refuse(name, "sign-in by OpenID Connect needs it; see deploy/docs/console.md")
    if urlsplit(settings.oidc_issuer).query or not is_secure(settings.oidc_issuer):
        _refuse("oidc_issuer", "write the provider's https URL, without a query")
    if not is_secure(settings.serve_public_url):
        _refuse("serve_public_url", "sign-in by OpenID Connect needs https, except on the loopback interface")
    if OPENID not in settings.oidc_scopes.split():
        _refuse("oidc_scopes", f"the scope {OPENID} must be among them")
    return OidcConfiguration(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_secret(settings),
        scopes=settings.oidc_scopes,
        name_claim=settings.oidc_name_claim,
        role_claim=settings.oidc_role_claim,
        roles=_roles(settings.oidc_roles),
        tenant=settings.oidc_tenant,
        label=settings.oidc_label,
        public_url=settings.serve_public_url,
    )


def is_secure(url: str) -> bool:
    """Returns whether a URL is https, or http to this machine."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return parts.scheme == "https" and bool(parts.hostname)
    if parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


def _secret(settings: Settings) -> str:
    secret, file = settings.oidc_client_secret.get_secret_value(), settings.oidc_client_secret_file
    if file is None:
        return secret
    if secret:
        _refuse("oidc_client_secret_file", f"{variable('oidc_client_secret')} is set too: keep one of them")
    try:
        read = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{variable('oidc_client_secret_file')}: {file} cannot be read ({type(error).__name__})"
        raise OidcSettingsError(message) from error
    if not read:
        _refuse("oidc_client_secret_file", f"{file} is empty")
    return read


def _roles(text: str) -> tuple[tuple[str, Role], ...]:
    """Returns the pairs of ``value=role,value=role``. A value may contain ``=``, as a distinguished name does."""
    pairs = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        value, separator, role = item.rpartition("=")
        if not separator or not value.strip() or role.strip() not in list(Role):
            _refuse("oidc_roles", f"{item!r} is not VALUE=ROLE with a role of {', '.join(Role)}")
        pairs.append((value.strip(), Role(role.strip())))
    return tuple(pairs)


def _refuse(setting: str, correction: str) -> None:
    message = f"{variable(setting)}: {correction}"
    raise OidcSettingsError(message)
