"""Commands in the order of the log, folded into what holds now; and links folded into bonds."""

from collections.abc import Iterable

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import Command, Link
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.sighting import first_sighting, widen
from pipeline.identity.state import FOREVER, NEVER, Edge


class Bond(msgspec.Struct, gc=False):
    """A link of the set, with all its sightings: the stronger end, the weaker end, and what is known."""

    strong: Identifier
    weak: Identifier
    edge: Edge


class Decisions(msgspec.Struct):
    """What people decided, as it stands after the last command. Pairs are (stronger, weaker)."""

    ended_ms: dict[tuple[Identifier, Identifier], int] = {}
    """Pairs that link only if seen after this time."""
    left_ms: dict[Identifier, list[int]] = {}
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


def decide(commands: Iterable[Command], book: Rulebook) -> Decisions:
    """Fold commands in log order; a later one overrules an earlier one about the same identifiers."""
    found = Decisions()
    for command in commands:
        pair = book.ends(command.a, command.b) if command.b else ("", command.a)
        match command.kind:
            case "link":
                found.ended_ms.pop(pair, None)
                found.linked_after[pair] = len(found.left_ms.get(pair[1], ()))
                found.asserted.append(asserted_by(command))
            case "unlink":
                found.ended_ms[pair] = FOREVER
            case "logout":
                found.ended_ms[pair] = max(found.ended_ms.get(pair, NEVER), command.timestamp_ms)
                found.left_ms.setdefault(pair[1], []).append(command.timestamp_ms)
                known = found.first_logout_ms.get(pair[1], command.timestamp_ms)
                found.first_logout_ms[pair[1]] = min(known, command.timestamp_ms)
            case "suppress":
                found.suppressed.add(command.a)
                found.trusted.discard(command.a)
            case "release" if command.a in found.suppressed:
                found.suppressed.remove(command.a)
            case _:
                found.trusted.add(command.a)
    return found


def bonds_of(links: Iterable[Link], book: Rulebook, decisions: Decisions) -> list[Bond]:
    """The set of links: every pair once, whichever end came first and however often."""
    bonds: dict[tuple[Identifier, Identifier], Bond] = {}
    for link in (*links, *decisions.asserted):
        strong, weak = pair = book.ends(link.anchor, link.other)
        if strong == weak:
            continue
        bond = bonds.get(pair)
        if bond is None:
            bonds[pair] = bond = Bond(strong, weak, first_sighting(strong, link))
            bond.edge.ended_ms = max(decisions.ended_ms.get(pair, NEVER), _left_ms(pair, book, decisions))
        else:
            widen(bond.edge, link)
    return list(bonds.values())


def _left_ms(pair: tuple[Identifier, Identifier], book: Rulebook, decisions: Decisions) -> int:
    """When a person was last logged out of the pair's weaker end; NEVER if the stronger names no person."""
    strong, weak = pair
    left = decisions.left_ms.get(weak, [])[decisions.linked_after.get(pair, 0) :]
    return max(left, default=NEVER) if book.kind(strong).strong else NEVER
