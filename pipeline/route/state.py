"""The state rows of ROUTE: owners of customers and leads, the tallies of teams, the loads of representatives."""

from typing import Final

import msgspec

from pipeline.event.ports import Table

ROW_VERSION: Final = 1
"""Format of the stored rows. A reader of another version must convert before it decodes."""


class Owner(msgspec.Struct, array_like=True, gc=False):
    """The owner of a customer, stored under one of the customer's identifiers. The first owner stays."""

    version: int = ROW_VERSION
    rep: str = ""
    since_ms: int = 0
    deputy: str = ""
    """The representative that last stood in during an absence of the owner."""


class GivenLead(msgspec.Struct, array_like=True, gc=False):
    """The owner and the last published state of a lead, stored under its action id."""

    version: int = ROW_VERSION
    rep: str = ""
    """"" if the lead has no owner."""
    revision: int = 1
    """Number of actions published for the lead so far."""
    duplicate_of: str = ""
    """Action id of the lead that replaces this one; "" if this lead is open."""


class Tally(msgspec.Struct, array_like=True, gc=False):
    """Leads given while the same representatives, with the same weights, were available."""

    weights: dict[str, int]
    given: dict[str, int]
    """Leads by representative."""


class TeamRow(msgspec.Struct, array_like=True, gc=False):
    """The tallies of a team."""

    version: int = ROW_VERSION
    tallies: list[Tally] = []
    """The most recently used one first."""


class Load(msgspec.Struct, array_like=True, gc=False):
    """Timestamps of the newest leads of a representative with a capacity."""

    version: int = ROW_VERSION
    times_ms: list[int] = []
    """In ascending order; at most as many as the capacity counts."""


class RouteTables(msgspec.Struct, frozen=True):
    """One tenant's state. The keys do not contain the tenant; the shell adds it as a prefix."""

    owners: Table[Owner]
    """By strong identifier; by profile id for profiles without one."""
    leads: Table[GivenLead]
    """By action id."""
    teams: Table[TeamRow]
    """By team name."""
    loads: Table[Load]
    """By representative."""
