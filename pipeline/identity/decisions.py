"""Commands in the order of the log, folded into what holds now; and links folded into merged links."""

from collections.abc import Iterable

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.sighting import first_sighting, widen
from pipeline.identity.state import FOREVER, NEVER, Edge


class MergedLink(msgspec.Struct, gc=False):
    """A link of the set, with all its sightings: the stronger end, the weaker end, and what is known."""

    strong: Identifier
    weak: Identifier
    edge: Edge


class Decisions(msgspec.Struct):
    """What people decided, as it stands after the last command. Pairs are (stronger, weaker)."""

    ended_ms: dict[tuple[Identifier, Identifier], int] = {}
    """Pairs that link only if seen after this time."""
    logged_out_ms: dict[Identifier, list[int]] = {}
    """When somebody logged out of an identifier, in the order of the log."""
    first_logout_ms: dict[Identifier, int] = {}
    """When somebody first logged out of an identifier."""
    linked_after: dict[tuple[Identifier, Identifier], int] = {}
    """Pairs that a person linked, with how many of those log-outs that overruled."""
    suppressed: set[Identifier] = set()
    trusted: set[Identifier] = set()
    asserted: list[Link] = []


def asserted_by(command: Command) -> Link:
    """The link that a ``link`` command asserts, seen once, when it was decided."""
    at_ms = command.timestamp_ms
    return Link(command.tenant, command.a, command.b, at_ms, at_ms, 1, command.actor, command.event_id, asserted=True)


def decide(commands: Iterable[Command], policy: IdentityPolicy) -> Decisions:
    """Fold commands in log order; a later one overrules an earlier one about the same identifiers."""
    decisions = Decisions()
    for command in commands:
        pair = policy.ends(command.a, command.b) if command.b else ("", command.a)
        match command.kind:
            case "link":
                decisions.ended_ms.pop(pair, None)
                decisions.linked_after[pair] = len(decisions.logged_out_ms.get(pair[1], ()))
                decisions.asserted.append(asserted_by(command))
            case "unlink":
                decisions.ended_ms[pair] = FOREVER
            case "logout":
                decisions.ended_ms[pair] = max(decisions.ended_ms.get(pair, NEVER), command.timestamp_ms)
                decisions.logged_out_ms.setdefault(pair[1], []).append(command.timestamp_ms)
                known = decisions.first_logout_ms.get(pair[1], command.timestamp_ms)
                decisions.first_logout_ms[pair[1]] = min(known, command.timestamp_ms)
            case "suppress":
                decisions.suppressed.add(command.a)
                decisions.trusted.discard(command.a)
            case "release" if command.a in decisions.suppressed:
                decisions.suppressed.remove(command.a)
            case _:
                decisions.trusted.add(command.a)
    return decisions


def merged_links_of(links: Iterable[Link], policy: IdentityPolicy, decisions: Decisions) -> list[MergedLink]:
    """The set of links: every pair once, whichever end came first and however often."""
    merged_links: dict[tuple[Identifier, Identifier], MergedLink] = {}
    for link in (*links, *decisions.asserted):
        strong, weak = pair = policy.ends(link.anchor, link.other)
        if strong == weak:
            continue
        merged_link = merged_links.get(pair)
        if merged_link is None:
            merged_links[pair] = merged_link = MergedLink(strong, weak, first_sighting(strong, link))
            merged_link.edge.ended_ms = max(
                decisions.ended_ms.get(pair, NEVER), _logged_out_ms(pair, policy, decisions)
            )
        else:
            widen(merged_link.edge, link)
    return list(merged_links.values())


def _logged_out_ms(pair: tuple[Identifier, Identifier], policy: IdentityPolicy, decisions: Decisions) -> int:
    """When a person was last logged out of the pair's weaker end; NEVER if the stronger names no person."""
    strong, weak = pair
    left = decisions.logged_out_ms.get(weak, [])[decisions.linked_after.get(pair, 0) :]
    return max(left, default=NEVER) if policy.kind(strong).strong else NEVER
