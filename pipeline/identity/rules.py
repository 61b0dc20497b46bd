"""The rules on identifier types: the strength of each type, and how many of its identifiers one customer may have."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from pipeline.event.form import Duration, Limit
from pipeline.identity.limits import parse_limit

Policy: TypeAlias = Literal["by-preset", "latest", "first", "isolate"]
Preset: TypeAlias = Literal[
    "none", "last-authenticated-owns-device", "first-keeps", "never-merge-identified", "logout-resets"
]


class IdentityType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of an identifier type's declaration that resolution uses."""

    name: str
    priority: int
    """A lower number is stronger. Types of equal priority are ordered by name."""
    strong: bool = False
    """Whether it names a person (a login, an e-mail) and not a thing that people share. Firebreaks count these."""
    limits: list[Limit] = []
    """The most that one customer may have: "1 ever", "5 per 7 d" (at most 5 first seen within any 7 days)."""
    policy: Policy = "by-preset"
    """Which link keeps an identifier of this type that two customers claim: the newest, the oldest, or none."""
    firebreak_above: Annotated[int, Meta(ge=0)] = 0
    """Isolates an identifier that more than this many strong identifiers of stronger types share. 0 disables it.

    Unlinking lowers the count; a log-out does not."""
    firebreak_window_ms: Duration = 0
    """Links more than this older than the identifier's newest do not count towards the firebreak. 0: all count."""
    firebreak_counts_weak: bool = False
    """Whether the firebreak also counts stronger identifiers that are not strong, such as the telephone numbers that a
    device is used with: behind each may stand another person. It then counts identifiers behind weaker ones too: those
    seen with a browser that was used on this device only. Identifiers behind weaker ones count at any age."""
    household: bool = False
    """Whether it groups people (an account, an address). Profiles that share it form a household and never merge.

    Make it weaker than types that name people: an event is booked under its strongest identifier."""

    must_agree: bool = False
    """A veto: whether it is an attribute in which all of a customer must agree (a year of birth, a country). It links
    nothing. Two customers with different values are not merged by types that are weaker than this one.

    Its values come from ``identifiers``, and from traits of this name."""
    exclusive: bool = False
    """Whether people pass its values on in shared links (the id of a click). A value belongs to the first identifier it
    was seen with and merges no customers."""

    def __post_init__(self) -> None:
        """Raises ValueError if a limit cannot be read, or a type that must agree has options of types that link."""
        for text in self.limits:
            parse_limit(text)
        options = {
            "strong": self.strong, "limits": self.limits, "firebreak_above": self.firebreak_above,
            "household": self.household, "exclusive": self.exclusive,
        }  # fmt: skip
        for name, value in options.items() if self.must_agree else ():
            if value:
                msg = f"{name} is for types that link, and {self.name!r} must_agree: leave it out"
                raise ValueError(msg)


class IdentityRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The identity part of ``identifiers.yaml``. Undeclared types are weaker than all others and have no limits."""

    preset: Preset = "none"
    """A well-known behaviour: the policy of types that name none, and a limit on the strongest type."""
    types: list[IdentityType] = []
    max_identifiers: Annotated[int, Meta(ge=2)] = 1000
    """The most identifiers of one customer. Beyond it, links of weaker types are rejected first."""
    max_links: Annotated[int, Meta(ge=2)] = 4000
    """The most links kept per component of customers that share identifiers. Forgets the weakest rejected ones."""
    logout_events: list[str] = []
    """Names of track events that are log-outs; case and separators do not matter. After one, no person owns the event's
    identifiers that are not strong until the person is seen with them again. An event without a person's identifier
    logs out of all its identifiers."""
