"""Households and accounts: profiles that share an identifier of a household type. A second level; it merges nobody."""

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution


class Household(msgspec.Struct, frozen=True):
    """The profiles of one account or address. A profile may be in several."""

    household_id: str
    """Named after ``shared``, so it never changes whoever joins, leaves, merges or splits."""
    shared: Identifier
    profile_ids: list[str]


def households(tenant: str, resolution: Resolution) -> list[Household]:
    """Every household that has a profile, by the identifier it shares.

    Ended links and links of suppressed identifiers do not count; a link between two household identifiers says nothing.
    """

    def shares(ident: Identifier) -> bool:
        return resolution.closed.get(ident) == Reason.HOUSEHOLD

    found: dict[Identifier, set[str]] = {}
    for held in resolution.held:
        ends = (held.bond.strong, held.bond.weak)
        shared, people = [end for end in ends if shares(end)], [end for end in ends if not shares(end)]
        if held.reason == Reason.HOUSEHOLD and people:
            found.setdefault(shared[0], set()).add(profile_id(tenant, resolution.founder_of[people[0]]))
    return [Household(profile_id(tenant, shared), shared, sorted(found[shared])) for shared in sorted(found)]
