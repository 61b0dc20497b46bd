"""Vetoes: attributes that must agree, such as the year of birth, keep customers apart and link nothing.

A value of a ``must_agree`` type is a *fact* about the identifier it was seen with. A group has the facts of its
members. Two groups contradict each other in a type if both have facts of it and together more than one. A link does not
unite them if the type of its weaker end is weaker than the fact's. A growing group only gains facts, so the ends of a
vetoed link never become one customer by a weaker link.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from pipeline.event.identifier import Identifier, type_of
from pipeline.identity.decisions import MergedLink
from pipeline.identity.policy import IdentityPolicy

MAX_FACTS: Final = 16
"""The most facts of one type kept of one identifier. Two of them contradict every other group already."""

GroupFacts: TypeAlias = dict[str, set[Identifier]]
"""The facts of a group by type."""


def without_facts(
    merged_links: Iterable[MergedLink], policy: IdentityPolicy
) -> tuple[list[MergedLink], list[MergedLink]]:
    """Separates links from facts in force. The stronger end of a fact is the value, the weaker what it is about."""
    links: list[MergedLink] = []
    facts: list[MergedLink] = []
    for merged_link in merged_links:
        if not policy.kind(merged_link.strong).must_agree:
            links.append(merged_link)
        elif merged_link.edge.alive and not policy.kind(merged_link.weak).must_agree:
            facts.append(merged_link)
    return links, facts


def facts_by_identifier(facts: Iterable[MergedLink]) -> dict[Identifier, GroupFacts]:
    """Returns the facts about each identifier that has any."""
    known: dict[Identifier, GroupFacts] = {}
    for fact in facts:
        known.setdefault(fact.weak, {}).setdefault(type_of(fact.strong), set()).add(fact.strong)
    return known


def add_facts(known: GroupFacts, further: Mapping[str, set[Identifier]]) -> None:
    """Adds the facts of another group, in place."""
    for kind, values in further.items():
        known[kind] = known.get(kind, set()) | values


def contradicted_type(one: GroupFacts, other: GroupFacts, weak: Identifier, policy: IdentityPolicy) -> str | None:
    """Returns the first type in which a link with this weaker end may not unite two groups; None if it may."""
    for kind in sorted(one.keys() & other.keys()):
        if len(one[kind] | other[kind]) > 1 and policy.kinds[kind].priority < policy.kind(weak).priority:
            return kind
    return None
