"""What a tenant declares about its identifier types: how strong each is, and how many may share one customer."""

from typing import Literal, TypeAlias

import msgspec

Policy: TypeAlias = Literal["latest", "first", "isolate"]


class IdentityType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identifier type's part in resolution."""

    name: str
    priority: int
    """1 is the strongest. Types of equal priority rank by name."""
    strong: bool = False
    """It names a person (a login, an e-mail), not a thing people share; the firebreak counts these."""
    limits: list[str] = []
    """How many one customer may hold: "1 ever", "5 per 7 days" (no more than 5 first seen within any 7 days)."""
    policy: Policy = "latest"
    """Who owns an identifier of this type that two customers claim: the newest link, the oldest, or nobody."""
    firebreak: int = 0
    """Stop linking once more than this many strong identifiers of stronger types share it. 0: never."""
    firebreak_days: int = 0
    """Links this much older than the identifier's newest no longer count towards the firebreak. 0: all count."""


class IdentityRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The identity part of ``identifiers.yaml``. Undeclared types are weaker than all others and have no limits."""

    types: list[IdentityType] = []
    max_identifiers: int = 1000
    """No customer has more identifiers than this; weaker types give way first, within a type by its policy."""
    max_links: int = 4000
    """Links kept per tangle of customers who share identifiers; the weakest held ones are forgotten beyond it."""
