"""What a tenant declares about its identifier types: how strong each is, and how many may share one customer."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from pipeline.event.form import Duration, Limit
from pipeline.identity.limits import parse_limit

Policy: TypeAlias = Literal["by-preset", "latest", "first", "isolate"]
Preset: TypeAlias = Literal[
    "none", "last-authenticated-owns-device", "first-keeps", "never-merge-identified", "logout-resets"
]


class IdentityType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identifier type's part in resolution."""

    name: str
    priority: int
    """Lower is stronger. Types of equal priority rank by name."""
    strong: bool = False
    """It names a person (a login, an e-mail), not a thing people share; the firebreak counts these."""
    limits: list[Limit] = []
    """How many one customer may hold: "1 ever", "5 per 7 d" (no more than 5 first seen within any 7 days)."""
    policy: Policy = "by-preset"
    """Who owns an identifier of this type that two customers claim: the newest link, the oldest, or nobody."""
    firebreak_above: Annotated[int, Meta(ge=0)] = 0
    """Stop linking once more than this many strong identifiers of stronger types share it. 0: never.

    A log-out does not take one off the count; unlinking does."""
    firebreak_window_ms: Duration = 0
    """Links this much older than the identifier's newest no longer count towards the firebreak. 0: all count."""
    household: bool = False
    """It groups people (an account, an address): profiles that share it form a household; it never merges them.

    Give it less strength than what names people: an event is booked under its strongest identifier."""

    exclusive: bool = False
    """It travels in links that people pass on (the id of a click): it identifies at most the one it was first seen
    with, and merges nobody."""

    def __post_init__(self) -> None:
        """Refuse limits that cannot be read."""
        for text in self.limits:
            parse_limit(text)


class IdentityRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The identity part of ``identifiers.yaml``. Undeclared types are weaker than all others and have no limits."""

    preset: Preset = "none"
    """A well-known behaviour: the policy of types that name none, and one identifier of the strongest type each."""
    types: list[IdentityType] = []
    max_identifiers: Annotated[int, Meta(ge=2)] = 1000
    """No customer has more identifiers than this; weaker types give way first, within a type by its policy."""
    max_links: Annotated[int, Meta(ge=2)] = 4000
    """Links kept per marked component of customers that share identifiers; the weakest rejected ones go."""
    logout_events: list[str] = []
    """Names of track events, in any case and with any separators, after which nobody owns the event's identifiers that
    are not strong: neither the anchor nor any person who was logged in there before, until they are seen there again.
    An event without a person logs out of all its identifiers."""
