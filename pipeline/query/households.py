"""A household as JSON values: the shared identifier, the customers that share it and their identifiers."""

from typing import Any

from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id
from pipeline.query.identity import StoredIdentity


def household_facts(stored: StoredIdentity, shared: Identifier) -> dict[str, Any]:
    """Returns the household of a shared identifier, members by profile id; no members if no customer shares it now."""
    ties: dict[str, list[Identifier]] = {}
    for member in stored.households.members(shared):
        ties.setdefault(profile_id(stored.tenant, stored.founder(member)), []).append(member)
    return {
        "household_id": profile_id(stored.tenant, shared),
        "shared": shared,
        "profile_ids": sorted(ties),
        "members": [
            {"profile_id": profile, "founder": stored.founder(idents[0]), "identifiers": idents}
            for profile, idents in sorted(ties.items())
        ],
    }
