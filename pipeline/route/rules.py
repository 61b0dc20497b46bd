"""Rules of routing: who works on leads, and which lead is whose. The structs are what ``routing.yaml`` is read into."""

from typing import Annotated, Final

from msgspec import Meta, Struct, field

from pipeline.event.duration import DAY_MS
from pipeline.event.form import OptionalLimit, RouteConditionText
from pipeline.event.instant import parse_instant
from pipeline.identity.limits import parse_limit
from pipeline.profile.rules import unique

MAX_LEADS: Final = 1000
"""That a capacity may count: the moments of so many are kept for each representative."""
_DAY_CHARACTERS: Final = len("2026-12-24")


class Absence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days on which a representative is given no leads, the first and the last included."""

    first: str = field(name="from")
    """The first day, as in 2026-12-24. Days begin at midnight UTC."""
    last: str = field(name="to")
    """The last day."""

    def __post_init__(self) -> None:
        if day_of("from", self.first) > day_of("to", self.last):
            msg = f"an absence that ends before it begins; write to: {self.first} or later"
            raise ValueError(msg)

    def span_ms(self) -> tuple[int, int]:
        """When it begins, and when it is over."""
        return day_of("from", self.first) * DAY_MS, (day_of("to", self.last) + 1) * DAY_MS


class Rep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A representative: somebody leads are given to."""

    name: str
    """As the CRM knows them: what an action's ``owner`` says, and what the owner trait is compared with."""
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1
    """How many shares of a team's leads they get."""
    capacity: OptionalLimit = ""
    """No more leads than this, as in 20 per 1 d; their own customers come to them all the same. Empty: no limit."""
    absent: tuple[Absence, ...] = ()
    """When they are given none."""

    def __post_init__(self) -> None:
        if self.capacity and parse_limit(self.capacity).count > MAX_LEADS:
            msg = f"capacity {self.capacity!r} is above {MAX_LEADS} leads; write a shorter time, as in 20 per 1 d"
            raise ValueError(msg)


class Team(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Representatives who share leads, round robin by weight."""

    name: str
    reps: tuple[str, ...]
    """Their names. One may be in several teams; the first is the one whose members stand in."""


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leads of a kind go to a team, or always to one representative."""

    name: str
    when: RouteConditionText
    """The condition, over traits.NAME, contact.NAME, identifier.TYPE, segment.NAME, score, grade, predictions.NAME,
    cart.status, cart.items, cart.amount.EUR, episode, trigger, channel and campaign."""
    team: str = ""
    rep: str = ""

    def __post_init__(self) -> None:
        if bool(self.team) == bool(self.rep):
            msg = f"route {self.name!r} leads to {'two places' if self.team else 'nobody'}: give it a team or a rep"
            raise ValueError(msg)


class RoutingRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``routing.yaml``. What is tried, in order: existing owner, account owner, routes, catch-all."""

    existing_owner: bool = True
    """Whether a customer stays with whom they have: the owner the CRM names, else the one they were given before."""
    owner_trait: str = "owner"
    """The trait in which the CRM says whose customer this is. Empty: none."""
    account_owner: bool = True
    """Whether a customer nobody has goes to whoever has their account."""
    account_owner_trait: str = "account_owner"
    """The trait in which the CRM says whose account this is. Empty: none."""
    reps: tuple[Rep, ...] = ()
    teams: tuple[Team, ...] = ()
    routes: tuple[Route, ...] = ()
    """Tried in this order; the first whose condition holds and that has somebody available takes the lead."""
    catch_all: str = ""
    """The team that gets what no route takes."""

    def __post_init__(self) -> None:
        unique("rep", [rep.name for rep in self.reps])
        unique("team", [team.name for team in self.teams])
        unique("route", [route.name for route in self.routes])


def day_of(which: str, text: str) -> int:
    """The days since 1970-01-01 that a date means.

    Raises:
        ValueError: It is not one; ``which`` field says so.
    """
    at_ms = parse_instant(text) if len(text) == _DAY_CHARACTERS else None
    if at_ms is None:
        msg = f"{which} is {text!r}, not a day; write it as 2026-12-24"
        raise ValueError(msg)
    return at_ms // DAY_MS
