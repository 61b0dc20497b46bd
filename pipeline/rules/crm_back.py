"""What comes back from a CRM: the part ``back`` of a connection of ``crm.yaml``."""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from pipeline.profile.rules import unique

CrmObject: TypeAlias = Literal["contacts", "leads", "companies", "deals", "activities"]
ALL_OBJECTS: Final[tuple[CrmObject, ...]] = ("contacts", "leads", "companies", "deals", "activities")


class CrmTrait(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field of contacts or leads that becomes a trait of the customer."""

    field: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
    """The CRM's internal name of the field."""
    trait: Annotated[str, Meta(min_length=1, max_length=64)]
    """Name of the trait. A field that is emptied in the CRM empties the trait."""
    of: tuple[Literal["contacts", "leads"], ...] = ("contacts", "leads")
    """The types of object that have the field."""


class CrmJournal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The app whose webhooks journal of HubSpot is read, instead of searching for what has changed.

    It is an app of the developer platform that is installed in the account. A service key cannot read the journal.
    """

    portal: Annotated[int, Meta(ge=0)] = 0
    """Id of the HubSpot account (Hub ID), whose changes are read."""
    client_id: str = ""
    """Client id of the app, on its tab Auth."""
    secret: str = ""
    """Where the client secret of the app is: env:VARIABLE or file:/path."""
    version: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}(-beta)?$")] = "2026-03"
    """Version of the journal's API and of the login."""

    def __post_init__(self) -> None:
        lacks = [name for name in ("portal", "client_id", "secret") if not getattr(self, name)]
        if lacks:
            msg = (
                f"journal lacks {', '.join(lacks)}: HubSpot's journal is read with an app's client credentials, not "
                "with the service key; add them, or leave journal out and the pull searches"
            )
            raise ValueError(msg)


class CrmBack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The way back of a connection: what `stitchline crm pull NAME` reads, and which events it becomes."""

    objects: tuple[CrmObject, ...] = ALL_OBJECTS
    """The types of object that are read, as far as the kind of CRM has them."""
    tenant: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]*$", max_length=64)] = "default"
    """Tenant of the customers."""
    identifier: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,31}$")] = "crm_contact_id"
    """Identifier type of the CRM's ids of contacts and leads. Two CRMs of one tenant need two types."""
    traits: tuple[CrmTrait, ...] = ()
    owner_trait: str = "owner"
    """Trait with the owner of a contact or lead: the representative of ``owners``, else the CRM's id. Empty: none."""
    currency: str = ""
    """Currency of deals that state none. Empty: default_currency of intake.yaml."""
    journal: CrmJournal | None = None
    """HubSpot: how its webhooks journal is read. Left out: the pull searches for what has changed."""
    every_seconds: Annotated[float, Meta(ge=0.1, le=86_400)] = 60.0
    """Time between two polls of the CRM."""
    delay_seconds: Annotated[float, Meta(ge=0, le=3600)] = 30.0
    """Changes are read when they are at least this old. Longer than the sink takes from a write to its ledger row, else
    its own writes look like changes by others."""
    overlap_minutes: Annotated[float, Meta(ge=0, le=1440)] = 15.0
    """How far back each poll reads again: a change may become visible later than one with a newer time."""
    since_days: Annotated[float, Meta(gt=0, le=400)] = 30.0
    """How old changes are at most that the first pull reads, and a pull whose cursor has expired."""
    step_hours: Annotated[float, Meta(gt=0, le=8760)] = 168.0
    """Longest time that one step of a backfill covers."""

    def __post_init__(self) -> None:
        for kind in ("contacts", "leads"):
            unique("field", [trait.field for trait in self.traits if kind in trait.of])
