"""The rows ROUTE keeps: whom customers and leads were given to, what each team has shared out, how busy who is."""

from typing import Final

import msgspec

from pipeline.event.ports import Table

ROW_VERSION: Final = 1
"""Format of the stored rows. A reader of another version must convert before it decodes."""


class Owner(msgspec.Struct, array_like=True, gc=False):
    """Whose customer this is, under one of the customer's identifiers. The first owner stays."""

    version: int = ROW_VERSION
    rep: str = ""
    since_ms: int = 0
    deputy: str = ""
    """Who last stood in for them while they were absent."""


class GivenLead(msgspec.Struct, array_like=True, gc=False):
    """Who got a lead, and the last word on it, under its action id."""

    version: int = ROW_VERSION
    rep: str = ""
    """"" if nobody did."""
    revision: int = 1
    """Words on it so far."""
    duplicate_of: str = ""
    """The lead in whose favour it was closed; "" if it stands."""


class Tally(msgspec.Struct, array_like=True, gc=False):
    """What was shared out while the same representatives, with the same weights, were available."""

    weights: dict[str, int]
    given: dict[str, int]


class TeamRow(msgspec.Struct, array_like=True, gc=False):
    """What a team has shared out."""

    version: int = ROW_VERSION
    tallies: list[Tally] = []
    """The one last used first."""


class Load(msgspec.Struct, array_like=True, gc=False):
    """When a representative with a capacity got their newest leads."""

    version: int = ROW_VERSION
    times_ms: list[int] = []
    """Rising; no more than the capacity counts."""


class RouteTables(msgspec.Struct, frozen=True):
    """One tenant's state. Keys are without the tenant, which the shell prefixes."""

    owners: Table[Owner]
    """By strong identifier, or by profile id where a profile has none."""
    leads: Table[GivenLead]
    """By action id."""
    teams: Table[TeamRow]
    loads: Table[Load]
