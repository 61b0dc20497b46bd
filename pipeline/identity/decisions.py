"""Folds the log's commands into the decisions in force, and the sightings of each pair into one merged link."""

from collections.abc import Iterable

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.sighting import first_sighting, widen
from pipeline.identity.state import FOREVER, NEVER, Edge


class MergedLink(msgspec.Struct, gc=False):
    """One pair of identifiers with all its sightings folded into one edge."""

    strong: Identifier
    weak: Identifier
    edge: Edge


class Decisions(msgspec.Struct):
    """People's decisions in force after the last command. Pairs are (stronger, weaker)."""

    ended_ms: dict[tuple[Identifier, Identifier], int] = {}
    """Pairs that link only if seen after this time, in ms since 1970."""
    logged_out_ms: dict[Identifier, list[int]] = {}
    """Times of the log-outs from an identifier, in the order of the log."""
    first_logout_ms: dict[Identifier, int] = {}
    """Time of the earliest log-out from an identifier."""
    linked_after: dict[tuple[Identifier, Identifier], int] = {}
    """Pairs with a ``link`` command, and how many log-outs of the weaker end precede it and are overruled by it."""
    suppressed: set[Identifier] = set()
    trusted: set[Identifier] = set()
    asserted: list[Link] = []


def asserted_by(command: Command) -> Link:
    """Returns the link that a ``link`` command asserts: one sighting at the time of the command."""
    at_ms = command.timestamp_ms
    return Link(command.tenant, command.a, command.b, at_ms, at_ms, 1, command.actor, command.event_id, asserted=True)


def decide(commands: Iterable[Command], policy: IdentityPolicy) -> Decisions:
    """Folds commands in log order. A later command overrules earlier ones about the same identifiers."""
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
    """Returns every pair once, with all its sightings, in whichever direction and however often it was seen."""
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
    """Returns the time of the last log-out from the pair's weaker end; NEVER if the stronger end names no person."""
    strong, weak = pair
    left = decisions.logged_out_ms.get(weak, [])[decisions.linked_after.get(pair, 0) :]
    return max(left, default=NEVER) if policy.kind(strong).strong else NEVER
