"""Connections to CRMs: what is written to which CRM. ``crm.yaml`` is read into these structs.

The file is not part of the rules in force: workers do not read it, and changing it does not change their version.
"""

import re
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field

from pipeline.profile.rules import unique
from pipeline.rules.crm_back import CrmBack

ACTION_VALUES: Final = (
    "action_id", "profile_id", "tenant", "trigger", "episode", "revision", "score", "grade", "segment", "event",
    "owner", "owner_reason", "consent", "last_touch", "timestamp",
)  # fmt: skip
"""Values of an action by name. ``last_touch`` and ``timestamp`` are ISO 8601."""
_FAMILIES: Final = ("contact", "predictions", "identifier")
_SECRET: Final = re.compile(r"(env:(?!STITCHLINE_)[A-Z][A-Z0-9_]*|file:/.+)")

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


class CrmConnection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account of a CRM that actions are delivered to: the sink of ``stitchline crm sink NAME``."""

    name: Name
    """Name of the sink. It names the sink's offsets and ledger rows: renaming it delivers everything again."""
    kind: Literal["bottlecrm", "hubspot"]
    secret: str
    """Where the access key is: env:VARIABLE or file:/path. Never the key itself."""
    url: str = "https://api.hubapi.com"
    """Base URL of the CRM's API."""
    version: str = "2026-09"
    """Version of the CRM's API for objects, properties and owners."""
    associations_version: str = "2026-03"
    """Version of the CRM's API for associations."""
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
    requests: Annotated[int, Meta(ge=1, le=100_000)] = 90
    """Maximum number of requests per tenant within ``per_seconds``."""
    per_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 10
    timeout_seconds: Annotated[float, Meta(ge=1, le=300)] = 20.0
    """Time after which a request without an answer is repeated."""
    max_tries: Annotated[int, Meta(ge=1, le=1000)] = 15
    """Failed tries of one action after which it is quarantined. Limits and outages of the CRM do not count."""

    def __post_init__(self) -> None:
        if not _SECRET.fullmatch(self.secret):
            msg = f"the secret of {self.name!r} is not env:VARIABLE or file:/path; write for example env:HUBSPOT_KEY"
            raise ValueError(msg)
        if not self.url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            msg = f"url {self.url!r} is not https://…"
            raise ValueError(msg)
        unique("field", [written.to for written in self.fields])
        unique("owner", [owner.rep for owner in self.owners])
        for written in self.fields:
            if written.to.startswith("stitchline_"):
                msg = f"field {written.to!r} is written by itself; leave it out"
                raise ValueError(msg)


class CrmRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``crm.yaml``."""

    connections: tuple[CrmConnection, ...] = field(default=())

    def __post_init__(self) -> None:
        unique("connection", [connection.name for connection in self.connections])
