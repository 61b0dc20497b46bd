"""Accounts: what the group calls of all members say of one account, folded over their profiles.

An account has no row, topic or profile id of its own, and never identifies a person. Each statement is in the ledger of
the member that made it, and moves with it. So an account is a function of the stored profiles, exact under merges and
splits.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.event.identifier import identifier
from pipeline.event.instant import format_instant
from pipeline.event.places import ACCOUNT
from pipeline.profile.fold import accounts_of, identifiers_of
from pipeline.profile.ledger import Trait, newer_trait
from pipeline.profile.row import ProfileRow


class Account(msgspec.Struct):
    """One account of one tenant."""

    tenant: str
    account_id: str
    traits: dict[str, Trait] = {}
    """The newest value of each trait by event time, whichever member's call stated it."""
    profile_ids: list[str] = []
    """The profiles with an event of the account."""

    def add(self, profile_id: str, row: ProfileRow, traits: dict[str, Trait]) -> None:
        """Adds what a profile's calls state. A profile of calls that name nothing but the account is no member."""
        if row.anchors.keys() != {identifier(ACCOUNT, self.account_id)}:
            self.profile_ids.append(profile_id)
        for name, trait in traits.items():
            self.traits[name] = newer_trait(self.traits[name], trait) if name in self.traits else trait


def accounts(rows: Iterable[tuple[str, ProfileRow]]) -> list[Account]:
    """Returns every account of the profiles that hold ledgers, sorted by tenant and id."""
    known: dict[tuple[str, str], Account] = {}
    prefix = identifier(ACCOUNT, "")
    for profile_id, row in rows:
        ledgers = row.ledgers()
        stated = accounts_of(ledgers)
        names = {ident.removeprefix(prefix) for ident in identifiers_of(ledgers) if ident.startswith(prefix)}
        for name in sorted(names | stated.keys()):
            account = known.setdefault((row.tenant, name), Account(row.tenant, name))
            account.add(profile_id, row, stated.get(name, {}))
    return [account for _, account in sorted(known.items())]


def account_view(account: Account) -> dict[str, Any]:
    """Returns an account as JSON values, each trait with its provenance."""
    return {
        "account_id": account.account_id,
        "tenant": account.tenant,
        "traits": {
            name: {"value": value, "timestamp": format_instant(timestamp_ms), "event_id": event_id, "channel": channel}
            for name, (timestamp_ms, event_id, channel, value) in sorted(account.traits.items())
        },
        "profile_ids": sorted(account.profile_ids),
    }
