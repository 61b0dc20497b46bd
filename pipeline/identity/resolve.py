"""Identity as a pure function: the set of links, the rules and what people decided, to groups and held links."""

from collections.abc import Iterable, Mapping

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.claims import Claims, claims_of, founders
from pipeline.identity.decisions import Bond, Decisions, bonds_of
from pipeline.identity.messages import Link
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.screen import Held, screen
from pipeline.identity.settle import settle


class Resolution(msgspec.Struct):
    """The answer for every identifier that any link or decision names."""

    founder_of: dict[Identifier, Identifier]
    """What the profile of each is named after: an identifier, or one set apart (:mod:`~pipeline.identity.claims`)."""
    accepted: list[Bond]
    held: list[Held]
    closed: dict[Identifier, Reason]
    """Identifiers that link to nothing, and why."""

    def groups(self) -> dict[Identifier, list[Identifier]]:
        """Members of every group by founder, sorted."""
        found: dict[Identifier, list[Identifier]] = {}
        for ident, founder in sorted(self.founder_of.items()):
            found.setdefault(founder, []).append(ident)
        return found


def named(group_of: Mapping[Identifier, Identifier], claims: Claims, book: Rulebook) -> dict[Identifier, Identifier]:
    """The founder of every identifier's group; groups are given by any key."""
    groups: dict[Identifier, list[Identifier]] = {}
    for ident, key in group_of.items():
        groups.setdefault(key, []).append(ident)
    founder_of = founders(groups, claims, book)
    return {ident: founder_of[key] for ident, key in group_of.items()}


def resolve(links: Iterable[Link], book: Rulebook, decisions: Decisions | None = None) -> Resolution:
    """Who is who. The order of ``links``, repetitions and how they were split over time make no difference."""
    decisions = decisions or Decisions()
    bonds = bonds_of(links, book, decisions)
    screened = screen(bonds, book, decisions.suppressed, decisions.trusted)
    settled = settle(screened.open, book)
    group_of = {end: end for bond in bonds for end in (bond.strong, bond.weak)} | settled.group_of
    founder_of = named(group_of, claims_of(screened.claiming, book, decisions.first_logout_ms), book)
    accepted = [bond for bond in screened.open if founder_of[bond.strong] == founder_of[bond.weak]]
    return Resolution(founder_of, accepted, screened.held + settled.held, screened.closed)
