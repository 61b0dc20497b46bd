"""Tell what a rebuilding changed: profiles that merged, split, links refused, evicted, quarantined, released."""

from collections.abc import Mapping

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.effects import Scribe
from pipeline.identity.forest import Forest
from pipeline.identity.messages import ChangeKind, Command, Link
from pipeline.identity.rebuild import Member, Outcome
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.screen import Held, rule_of

DECIDED = frozenset({Reason.UNLINKED, Reason.LOGGED_OUT, Reason.SUPPRESSED})
"""Told by the command's own line, where the link was accepted before."""


class Verdict:
    """What to say about one outcome, in an order that depends on nothing but the outcome."""

    def __init__(self, outcome: Outcome, cause: Link | Command, book: Rulebook, forest: Forest, scribe: Scribe) -> None:
        self._outcome = outcome
        self._cause = cause
        self._book = book
        self._forest = forest
        self._scribe = scribe

    def tell(self) -> None:
        """Firebreaks first, then who moved where and owns what, then the links that did not make it."""
        members = sorted(self._outcome.members.items())
        for ident, member in members:
            self._firebreak(ident, member)
        self._flows(members)
        self._ownerships()
        for ident, member in members:
            if member.founder == member.before and member.knot.contested != member.contested_before:
                self._scribe.contest(ident, member.founder, member.knot.contested)
        for held, before in self._outcome.held:
            if Reason.HOUSEHOLD in {held.reason, before}:
                self._membership("left" if before == Reason.HOUSEHOLD else "joined", held, held.reason)
            elif before or held.reason not in DECIDED:
                evicted = not before and held.reason != Reason.FIREBREAK
                self._refusal("evicted" if evicted else "refused", held, held.reason)
        for held in self._outcome.forgotten:
            if held.reason == Reason.HOUSEHOLD:
                self._membership("left", held, Reason.FORGOTTEN)
            else:
                self._refusal("evicted", held, Reason.FORGOTTEN)

    def _firebreak(self, ident: Identifier, member: Member) -> None:
        before, after = member.closed_before, member.knot.closed
        rule = rule_of(ident, Reason.FIREBREAK, self._book)
        if after == Reason.FIREBREAK != before:
            self._scribe.note(
                "quarantined", (ident, member.before), [ident], self._cause, rule=rule, reason=Reason.FIREBREAK
            )
        if before == Reason.FIREBREAK and not after and not member.knot.trusted:
            self._scribe.note(
                "released", (member.founder, ident), [ident], self._cause, rule=rule, reason=Reason.EXPIRED
            )

    def _flows(self, members: list[tuple[Identifier, Member]]) -> None:
        flows: dict[tuple[Identifier, Identifier], list[tuple[Identifier, list[Identifier]]]] = {}
        for ident, member in members:
            if member.before != member.founder:
                flows.setdefault((member.before, member.founder), []).append((ident, member.knot.contested))
        last = self._last_flows(flows)
        for (before, after), moved in sorted(flows.items(), key=lambda flow: (flow[0] in last, flow[0])):
            reason, rule = self._grounds({ident for ident, _ in moved})
            over = (before, after) in last
            self._scribe.follow(moved, before, after, self._cause, over=over, reason=reason, rule=rule)

    def _last_flows(
        self, flows: Mapping[tuple[Identifier, Identifier], list[tuple[Identifier, list[Identifier]]]]
    ) -> set[tuple[Identifier, Identifier]]:
        """Of every profile that is over the flow that takes its strongest identifier along: that is its successor."""
        standing = {member.founder for member in self._outcome.members.values()}
        last: dict[Identifier, tuple[tuple[int, str, Identifier], Identifier]] = {}
        for (before, after), moved in flows.items():
            if before not in standing:
                strongest = min(self._book.strength(ident) for ident, _ in moved)
                last[before] = min(last.get(before, (strongest, after)), (strongest, after))
        return {(before, after) for before, (_, after) in last.items()}

    def _ownerships(self) -> None:
        owned: dict[Identifier, dict[Identifier, bool]] = {}
        for bond in self._outcome.parted:
            leaf, other = sorted((bond.strong, bond.weak), key=self._book.strength)
            owned.setdefault(leaf, {})[other] = not bond.edge.apart
        for leaf, others in sorted(owned.items()):
            self._scribe.own(leaf, self._forest.founder(leaf), others)

    def _grounds(self, moved: set[Identifier]) -> tuple[str, str]:
        """Why identifiers left: the first link of theirs that is accepted no more; else that they were linked."""
        for held, before in self._outcome.held:
            if not before and (held.bond.weak in moved or held.bond.strong in moved):
                return held.reason, held.rule
        return Reason.LINKED, ""

    def _membership(self, change: ChangeKind, held: Held, reason: str) -> None:
        """Somebody shares an identifier that groups people, or no longer does. Two of those say nothing of each other.

        The member is an identifier: whose profile it is, merges and splits say, here as everywhere.
        """
        shared, member = held.bond.strong, held.bond.weak
        if not self._book.kind(member).household:
            founders = self._forest.founder(member), self._forest.founder(shared)
            rule = rule_of(shared, Reason.HOUSEHOLD, self._book)
            self._scribe.note(change, founders, [member, shared], self._cause, rule=rule, reason=reason)

    def _refusal(self, change: ChangeKind, held: Held, reason: str) -> None:
        ends = [held.bond.strong, held.bond.weak]
        founders = self._forest.founder(ends[0]), self._forest.founder(ends[1])
        self._scribe.note(change, founders, ends, self._cause, rule=held.rule, reason=reason)
