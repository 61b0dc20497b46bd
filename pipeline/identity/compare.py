"""What other rules would change: the same links resolved twice, told as merges and splits before anything happens."""

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.resolve import Resolution


class Difference(msgspec.Struct, frozen=True):
    """Customers are named by their founders."""

    merged: dict[Identifier, list[Identifier]]
    """Customers after, each with the several customers of before whose identifiers it would hold."""
    split: dict[Identifier, list[Identifier]]
    """Customers before, each with the several customers of after that would hold its identifiers."""
    affected: list[Identifier]
    """Customers of before whose identifiers or id would change."""


def compare(before: Resolution, after: Resolution) -> Difference:
    """How ``after`` differs. Both must resolve the same links."""
    old, new = before.groups(), after.groups()
    sources: dict[Identifier, set[Identifier]] = {}
    targets: dict[Identifier, set[Identifier]] = {}
    for ident, founder in before.founder_of.items():
        sources.setdefault(after.founder_of[ident], set()).add(founder)
        targets.setdefault(founder, set()).add(after.founder_of[ident])
    return Difference(
        {founder: sorted(of_founder) for founder, of_founder in sorted(sources.items()) if len(of_founder) > 1},
        {founder: sorted(of_founder) for founder, of_founder in sorted(targets.items()) if len(of_founder) > 1},
        [founder for founder, members in old.items() if new.get(founder) != members],
    )
