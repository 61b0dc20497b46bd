"""The effect of other rules: compares two resolutions of the same links as merges and splits."""

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.resolve import Resolution


class Difference(msgspec.Struct, frozen=True):
    """The differences between two resolutions. Customers are given by their founders."""

    merged: dict[Identifier, list[Identifier]]
    """New customers that combine identifiers of several old customers, with those old customers."""
    split: dict[Identifier, list[Identifier]]
    """Old customers whose identifiers are divided among several new customers, with those new customers."""
    affected: list[Identifier]
    """Old customers whose identifiers or founder change."""


def compare(before: Resolution, after: Resolution) -> Difference:
    """Returns how ``after`` differs from ``before``. Both must resolve the same links."""
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
