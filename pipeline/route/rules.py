"""Routing rules: representatives, teams and routes. ``routing.yaml`` is read into these structs."""

from typing import Annotated, Final

from msgspec import Meta, Struct, field

from pipeline.event.duration import DAY_MS
from pipeline.event.form import OptionalLimit, RouteConditionText
from pipeline.event.instant import parse_instant
from pipeline.identity.limits import parse_limit
from pipeline.profile.rules import unique

MAX_LEADS: Final = 1000
"""Maximum number of leads in a capacity; the router stores the timestamps of so many for each representative."""
_DAY_CHARACTERS: Final = len("2026-12-24")


class Absence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days on which a representative gets no leads; the first and the last day are included."""

    first: str = field(name="from")
    """The first day, as in 2026-12-24. Days begin at midnight UTC."""
    last: str = field(name="to")
    """The last day."""

    def __post_init__(self) -> None:
        if day_of("from", self.first) > day_of("to", self.last):
            msg = f"an absence that ends before it begins; write to: {self.first} or later"
            raise ValueError(msg)

    def span_ms(self) -> tuple[int, int]:
        """Returns (start, end) in ms; the end is exclusive."""
        return day_of("from", self.first) * DAY_MS, (day_of("to", self.last) + 1) * DAY_MS


class Rep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A representative: a person that leads are assigned to."""

    name: str
    """Name in the CRM. Actions carry it as ``owner``, and the owner traits are compared with it."""
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Number of shares of a team's leads: weight 2 gets twice as many leads as weight 1."""
    capacity: OptionalLimit = ""
    """Maximum number of leads, as in 20 per 1 d. Leads of the representative's own customers are assigned even above
    it. Empty: no limit."""
    absent: tuple[Absence, ...] = ()
    """Absences, in which the representative gets no leads."""

    def __post_init__(self) -> None:
        if self.capacity and parse_limit(self.capacity).count > MAX_LEADS:
            msg = f"capacity {self.capacity!r} is above {MAX_LEADS} leads; write a shorter time, as in 20 per 1 d"
            raise ValueError(msg)


class Team(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Representatives that share leads by weighted round robin."""

    name: str
    reps: tuple[str, ...]
    """Names of the members. A representative may be in several teams. During an absence the teams are tried in the
    order of the file for a stand-in."""


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Assigns the leads that meet a condition to a team or to one representative."""

    name: str
    when: RouteConditionText
    """The condition. It may use traits.NAME, contact.NAME, identifier.TYPE, segment.NAME, score, grade,
    predictions.NAME, cart.status, cart.items, cart.amount.EUR, episode, trigger, channel and campaign."""
    team: str = ""
    """The team that gets the leads. Give either a team or a rep."""
    rep: str = ""
    """The representative that gets the leads."""

    def __post_init__(self) -> None:
        if bool(self.team) == bool(self.rep):
            has = "both a team and a rep" if self.team else "no team and no rep"
            msg = f"route {self.name!r} has {has}: give it one of them"
            raise ValueError(msg)


class RoutingRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``routing.yaml``. Order of the steps: existing owner, account owner, routes, catch-all."""

    existing_owner: bool = True
    """Whether a customer stays with their owner: the one the CRM names, else the one this router assigned before."""
    owner_trait: str = "owner"
    """The trait with the customer's owner, set by the CRM. Empty: none."""
    account_owner: bool = True
    """Whether a customer without an owner goes to the owner of their account."""
    account_owner_trait: str = "account_owner"
    """The trait with the account's owner, set by the CRM. Empty: none."""
    reps: tuple[Rep, ...] = ()
    teams: tuple[Team, ...] = ()
    routes: tuple[Route, ...] = ()
    """Tried in this order. The first route whose condition holds and that has an available representative takes the
    lead."""
    catch_all: str = ""
    """The team that gets the leads that no route takes."""

    def __post_init__(self) -> None:
        unique("rep", [rep.name for rep in self.reps])
        unique("team", [team.name for team in self.teams])
        unique("route", [route.name for route in self.routes])


def day_of(which: str, text: str) -> int:
    """Returns a date as days since 1970-01-01.

    Raises:
        ValueError: The text is not a date. The message names the field ``which``.
    """
    at_ms = parse_instant(text) if len(text) == _DAY_CHARACTERS else None
    if at_ms is None:
        msg = f"{which} is {text!r}, not a day; write it as 2026-12-24"
        raise ValueError(msg)
    return at_ms // DAY_MS
