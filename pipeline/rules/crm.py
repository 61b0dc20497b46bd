"""Connections to CRMs: what is written to which CRM. ``crm.yaml`` is read into these structs.

The file is not part of the rules in force: workers do not read it, and changing it does not change their version.
"""

import re
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr, replace

from pipeline.profile.rules import unique
from pipeline.rules.crm_back import CrmBack
from pipeline.rules.crm_sync import CrmSync

ACTION_VALUES: Final = (
    "action_id", "profile_id", "tenant", "trigger", "episode", "revision", "score", "grade", "segment", "event",
    "owner", "owner_reason", "consent", "last_touch", "timestamp",
)  # fmt: skip
"""Values of an action by name. ``last_touch`` and ``timestamp`` are ISO 8601."""
_FAMILIES: Final = ("contact", "predictions", "identifier")
_SECRET: Final = re.compile(r"(env:(?!STITCHLINE_)[A-Z][A-Z0-9_]*|file:/.+)")

_ENTRA: Final = "https://login.microsoftonline.com"
_DEFAULT_URLS: Final = {"hubspot": "https://api.hubapi.com"}
_DEFAULT_VERSIONS: Final = {"hubspot": "2026-09", "salesforce": "v67.0", "dynamics": "v9.2", "zoho": "v8"}
_LOGIN: Final[dict[str, tuple[str, ...]]] = {
    "bottlecrm": (),
    "hubspot": (),
    "salesforce": ("client_id",),
    "dynamics": ("client_id", "tenant_id"),
    "zoho": ("client_id", "refresh_token"),
}
"""What each kind needs of the login."""
_REQUIRED: Final = {"salesforce": ("LastName", "Company"), "zoho": ("Last_Name",)}
"""Fields without which the CRM refuses every lead."""

Name: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
FieldName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]


class CrmField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field of the CRM and the value that is written to it. An empty value is never written."""

    to: FieldName
    """The CRM's internal name of the field."""
    value: str
    """contact.NAME, predictions.NAME, identifier.TYPE, or one of action_id, profile_id, tenant, trigger, episode,
    revision, score, grade, segment, event, owner, owner_reason, consent, last_touch and timestamp."""
    write: Literal["always", "if_blank", "until_edited"] = "if_blank"
    """always: overwrites. if_blank: only if the CRM's field is empty. until_edited: until another user or tool has
    changed the value that was written."""
    default: str = ""
    """Written if the action has no value and the CRM's field is empty: for fields that the CRM requires."""

    def __post_init__(self) -> None:
        family, dot, name = self.value.partition(".")
        if not (self.value in ACTION_VALUES or (family in _FAMILIES and dot and name)):
            msg = f"value {self.value!r} is not a value of an action; write for example contact.email or score"
            raise ValueError(msg)


class CrmOwner(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CRM's owner for a representative of ``routing.yaml``."""

    rep: str
    """Name of the representative."""
    id: str
    """The CRM's owner id."""


class CrmLogin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a connection gets its access token. HubSpot needs none of it: its secret is the access key."""

    client_id: str = ""
    """Consumer key of the Salesforce app, application id of Entra, client id of Zoho."""
    user: str = ""
    """Salesforce: user of the JWT bearer flow, whose private key is the secret. Empty: the client credentials flow,
    whose client secret is the secret."""
    audience: str = "https://login.salesforce.com"
    """Salesforce, JWT: https://test.salesforce.com for a sandbox."""
    tenant_id: str = ""
    """Dynamics: directory (tenant) id of Entra."""
    refresh_token: str = ""
    """Zoho: where the refresh token is, env:VARIABLE or file:/path."""
    url: str = ""
    """Base URL of the login. Empty: the connection's url; of Dynamics https://login.microsoftonline.com."""


class CrmConnection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account of a CRM that actions are delivered to: the sink of ``stitchline crm sink NAME``."""

    name: Name
    """Name of the sink. It names the sink's offsets and ledger rows: renaming it delivers everything again."""
    kind: Literal["bottlecrm", "dynamics", "hubspot", "salesforce", "zoho"]
    secret: str
    """Where the access key, client secret or private key is: env:VARIABLE or file:/path. Never the key itself. It is
    read again when the CRM refuses the current key or token."""
    login: CrmLogin = CrmLogin()
    url: str = ""
    """Base URL. HubSpot: the API, https://api.hubapi.com if empty. Salesforce: My Domain, https://NAME.my.salesforce.com.
    Dynamics: https://NAME.crm4.dynamics.com. Zoho: the accounts server of the data centre, https://accounts.zoho.eu.
    BottleCRM: the server."""
    version: str = ""
    """Version of the CRM's API. Empty: 2026-09 of HubSpot, v67.0 of Salesforce, v9.2 of Dynamics, v8 of Zoho."""
    prefix: str = "new"
    """Dynamics: prefix of the solution publisher whose columns `stitchline crm setup` creates."""
    associations_version: str = "2026-03"
    """HubSpot: version of the API for associations."""
    tenants: tuple[str, ...] = ()
    """The tenants whose actions are delivered. Empty: all."""
    triggers: tuple[str, ...] = ()
    """The triggers whose actions are delivered. Empty: all."""
    fields: tuple[CrmField, ...] = ()
    """The fields that are written, besides the stitchline_ fields that `stitchline crm setup` creates."""
    owners: tuple[CrmOwner, ...] = ()
    fallback_owner: str = ""
    """Owner id for a representative without an owner in the CRM. Empty: the contact's owner is left as it is."""
    existing: Literal["adopt", "review"] = "adopt"
    """If another contact has the e-mail address. adopt: writes to that contact. review: quarantines the action."""
    deleted: Literal["review", "recreate"] = "review"
    """If the contact was deleted in the CRM. review: quarantines the action. recreate: creates a contact again."""
    story: bool = True
    """Whether each lead gets a note with its reason, score and recent timeline."""
    back: CrmBack = CrmBack()
    """What `stitchline crm pull NAME` reads, and which events it becomes."""
    sync: CrmSync = CrmSync()
    """The segments, scores and traits that records of known customers follow."""
    requests: Annotated[int, Meta(ge=1, le=100_000)] = 90
    """Maximum number of requests per tenant within ``per_seconds``."""
    day_share: Annotated[float, Meta(gt=0, le=1)] = 0.95
    """Share of the account's daily requests above which the sink waits, so that others can use the rest. It has an
    effect where the CRM states the use: Salesforce, HubSpot, Zoho."""
    day_requests: Annotated[int, Meta(ge=0)] = 0
    """Zoho: the organisation's credits of a day, of which Zoho states only what is left. 0: not known."""
    per_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 10
    timeout_seconds: Annotated[float, Meta(ge=1, le=300)] = 20.0
    """Time after which a request without an answer is repeated."""
    max_tries: Annotated[int, Meta(ge=1, le=1000)] = 15
    """Failed tries of one action after which it is quarantined. Limits and outages of the CRM do not count."""

    def __post_init__(self) -> None:
        _check_secret("secret", self.secret, self.name)
        force_setattr(self, "url", self.url or _DEFAULT_URLS.get(self.kind, ""))
        force_setattr(self, "version", self.version or _DEFAULT_VERSIONS.get(self.kind, ""))
        if not self.url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            msg = f"url {self.url!r} is not https://…"
            raise ValueError(msg)
        self._check_login()
        unique("field", [written.to for written in self.fields])
        unique("owner", [owner.rep for owner in self.owners])
        for written in self.fields:
            if "stitchline_" in written.to.lower():
                msg = f"field {written.to!r} is written by itself; leave it out"
                raise ValueError(msg)
        both = {written.to for written in self.fields} & {written.to for written in self.sync.fields}
        if both:
            msg = f"field {min(both)!r} is in fields and in sync: leave it out of one of them"
            raise ValueError(msg)
        filled = {written.to for written in self.fields if written.default}
        if missing := [name for name in _REQUIRED.get(self.kind, ()) if name not in filled]:
            example = f"{{to: {missing[0]}, value: contact.lastName, default: Unknown}}"
            msg = f"{self.kind} refuses a lead without {missing[0]}: add a field with a default, for example {example}"
            raise ValueError(msg)

    def _check_login(self) -> None:
        for name in _LOGIN[self.kind]:
            if not getattr(self.login, name):
                msg = f"the login of {self.name!r} lacks {name}, which {self.kind} needs"
                raise ValueError(msg)
        if self.kind == "zoho":
            _check_secret("refresh_token", self.login.refresh_token, self.name)
        if self.kind == "dynamics" and not self.login.url:
            force_setattr(self, "login", replace(self.login, url=_ENTRA))
        if journal := self.back.journal:
            if self.kind != "hubspot":
                msg = f"{self.name!r} has a journal, which only HubSpot has; {self.kind} is read without one"
                raise ValueError(msg)
            _check_secret("secret of the journal", journal.secret, self.name)


def _check_secret(field_name: str, reference: str, connection: str) -> None:
    if not _SECRET.fullmatch(reference):
        msg = f"the {field_name} of {connection!r} is not env:VARIABLE or file:/path; write for example env:CRM_SECRET"
        raise ValueError(msg)


class CrmRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``crm.yaml``."""

    connections: tuple[CrmConnection, ...] = field(default=())

    def __post_init__(self) -> None:
        unique("connection", [connection.name for connection in self.connections])
