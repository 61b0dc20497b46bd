"""Publishes what a rebuild changed: merged and split profiles; refused and evicted links; quarantines and releases."""

from collections.abc import Mapping

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.effects import EffectsRecorder
from pipeline.identity.filter_links import RejectedLink, rule_of
from pipeline.identity.messages import ChangeKind, Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.rebuild import Member, Outcome
from pipeline.identity.union_find import UnionFind

ANNOUNCED_BY_COMMAND = frozenset({Reason.UNLINKED, Reason.LOGGED_OUT, Reason.SUPPRESSED})
"""Reasons that the command's own line already announces if the link was accepted before."""


class ChangeAnnouncer:
    """Records the changes of one outcome, in an order that depends only on the outcome."""

    def __init__(
        self,
        outcome: Outcome,
        cause: Link | Command,
        policy: IdentityPolicy,
        union_find: UnionFind,
        recorder: EffectsRecorder,
    ) -> None:
        self._outcome = outcome
        self._cause = cause
        self._policy = policy
        self._union_find = union_find
        self._recorder = recorder

    def announce(self) -> None:
        """Records firebreaks first, then moves and ownerships, then rejected and forgotten links."""
        members = sorted(self._outcome.members.items())
        for ident, member in members:
            self._announce_firebreak(ident, member)
        self._announce_moves(members)
        self._ownerships()
        for ident, member in members:
            if member.founder == member.founder_before and member.state.contested != member.contested_before:
                self._recorder.record_contested(ident, member.founder, member.state.contested)
        for rejected, before in self._outcome.rejected:
            if Reason.HOUSEHOLD in {rejected.reason, before}:
                self._announce_membership("left" if before == Reason.HOUSEHOLD else "joined", rejected, rejected.reason)
            elif before or rejected.reason not in ANNOUNCED_BY_COMMAND:
                evicted = not before and rejected.reason != Reason.FIREBREAK
                self._announce_rejection("evicted" if evicted else "refused", rejected, rejected.reason)
        for rejected in self._outcome.forgotten:
            if rejected.reason == Reason.HOUSEHOLD:
                self._announce_membership("left", rejected, Reason.FORGOTTEN)
            else:
                self._announce_rejection("evicted", rejected, Reason.FORGOTTEN)

    def _announce_firebreak(self, ident: Identifier, member: Member) -> None:
        before, after = member.isolated_before, member.state.isolated
        rule = rule_of(ident, Reason.FIREBREAK, self._policy)
        if after == Reason.FIREBREAK != before:
            self._recorder.record_change(
                "quarantined", (ident, member.founder_before), [ident], self._cause, rule=rule, reason=Reason.FIREBREAK
            )
        if before == Reason.FIREBREAK and not after and not member.state.trusted:
            self._recorder.record_change(
                "released", (member.founder, ident), [ident], self._cause, rule=rule, reason=Reason.EXPIRED
            )

    def _announce_moves(self, members: list[tuple[Identifier, Member]]) -> None:
        flows: dict[tuple[Identifier, Identifier], list[tuple[Identifier, list[Identifier]]]] = {}
        for ident, member in members:
            if member.founder_before != member.founder:
                flows.setdefault((member.founder_before, member.founder), []).append((ident, member.state.contested))
        last = self._last_flows(flows)
        for (before, after), moved in sorted(flows.items(), key=lambda flow: (flow[0] in last, flow[0])):
            reason, rule = self._reason_for_moves({ident for ident, _ in moved})
            over = (before, after) in last
            self._recorder.record_move(moved, before, after, self._cause, over=over, reason=reason, rule=rule)

    def _last_flows(
        self, flows: Mapping[tuple[Identifier, Identifier], list[tuple[Identifier, list[Identifier]]]]
    ) -> set[tuple[Identifier, Identifier]]:
        """Returns, for every profile that ends, the flow with its strongest identifier; its target is the successor."""
        standing = {member.founder for member in self._outcome.members.values()}
        last: dict[Identifier, tuple[tuple[int, str, Identifier], Identifier]] = {}
        for (before, after), moved in flows.items():
            if before not in standing:
                strongest = min(self._policy.strength(ident) for ident, _ in moved)
                last[before] = min(last.get(before, (strongest, after)), (strongest, after))
        return {(before, after) for before, (_, after) in last.items()}

    def _ownerships(self) -> None:
        owned: dict[Identifier, dict[Identifier, bool]] = {}
        for merged_link in self._outcome.parted:
            anchor, other = sorted((merged_link.strong, merged_link.weak), key=self._policy.strength)
            owned.setdefault(anchor, {})[other] = not merged_link.edge.apart
        for anchor, others in sorted(owned.items()):
            self._recorder.own(anchor, self._union_find.founder(anchor), others)

    def _reason_for_moves(self, moved: set[Identifier]) -> tuple[str, str]:
        """Returns reason and rule of the first link of theirs that is no longer accepted, else ``LINKED``."""
        for rejected, before in self._outcome.rejected:
            if not before and (rejected.merged_link.weak in moved or rejected.merged_link.strong in moved):
                return rejected.reason, rejected.rule
        return Reason.LINKED, ""

    def _announce_membership(self, change: ChangeKind, rejected: RejectedLink, reason: str) -> None:
        """Records that an identifier joined or left a household. Ignores links between two household identifiers.

        The line names the member's identifier. Merge and split lines say which profile owns that identifier.
        """
        shared, member = rejected.merged_link.strong, rejected.merged_link.weak
        if not self._policy.kind(member).household:
            founders = self._union_find.founder(member), self._union_find.founder(shared)
            rule = rule_of(shared, Reason.HOUSEHOLD, self._policy)
            self._recorder.record_change(change, founders, [member, shared], self._cause, rule=rule, reason=reason)

    def _announce_rejection(self, change: ChangeKind, rejected: RejectedLink, reason: str) -> None:
        ends = [rejected.merged_link.strong, rejected.merged_link.weak]
        founders = self._union_find.founder(ends[0]), self._union_find.founder(ends[1])
        self._recorder.record_change(change, founders, ends, self._cause, rule=rejected.rule, reason=reason)
