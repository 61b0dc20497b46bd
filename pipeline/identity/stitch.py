"""STITCH's logic: turns links and commands into assignments, moves and public changes.

A link is stored in the row of its weaker end. If the components of its ends together surely break no limit, the fast
path (:mod:`~pipeline.identity.fast_path`) joins them, and the profile of the oldest founder survives. If a limit may
break, the slow path (:mod:`~pipeline.identity.rebuild`) resolves the components again from their stored links, once, at
the end of the batch.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

from pipeline.event.erasure import NO_MARKS, Marking, MarkKind, PartitionMarks, digest_of
from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.announce_changes import ChangeAnnouncer
from pipeline.identity.commands import CHANGE_OF_COMMAND, apply
from pipeline.identity.effects import EffectsRecorder, StitchEffects
from pipeline.identity.erasure import customer_of, erase_rows, newer_part, remaining_contests
from pipeline.identity.fast_path import FastPath
from pipeline.identity.messages import Command, Link
from pipeline.identity.pending import PendingComponents
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rebuild import Rebuilder
from pipeline.identity.rules import IdentityRules
from pipeline.identity.state import Counter, StitchTables
from pipeline.identity.union_find import UnionFind

MARKING: Final = frozenset({"erase", "opt_out", "opt_in"})
"""Kinds of commands that mark all identifiers of a customer."""


class Stitcher:
    """The identities of one tenant. Links may arrive late, twice and in any order; only new facts have effects.

    After every batch the state equals :func:`~pipeline.identity.resolve.resolve` over all links and commands so far,
    except those about customers that were erased since.
    """

    def __init__(
        self,
        tenant: str,
        rules: IdentityRules,
        tables: StitchTables,
        marks: PartitionMarks = NO_MARKS,
        on_marking: Callable[[Marking], None] = lambda _marking: None,
    ) -> None:
        """``on_marking`` is called with each marking at once, so that ``marks`` knows it for the rest of the batch."""
        self._tenant, self._marks, self._on_marking = tenant, marks, on_marking
        self._policy = IdentityPolicy(rules)
        self._tables = tables
        self._union_find = UnionFind(tables.nodes)
        self._recorder = EffectsRecorder(tenant)
        self._fast_path = FastPath(self._policy, self._union_find, tables.nodes, self._recorder)
        self._rebuilder = Rebuilder(self._policy, self._union_find, tables.nodes)
        self._pending = PendingComponents(self._union_find, tables.nodes)

    def on_links(self, messages: Sequence[Link | Command], now_ms: int) -> StitchEffects:  # noqa: ARG002 - as every stage
        """Applies a batch in log order. Puts the state rows, and returns the records for the shell to publish.

        Uses only the messages' own times and ignores ``now_ms``, so that a replay repeats the first run's results.
        After an exception the caller must roll back the unit of work with its rows; the stitcher stays usable.
        """
        counter = self._tables.counters.get("") or Counter(0)
        self._recorder.start_batch(counter.seq)
        self._pending = PendingComponents(self._union_find, self._tables.nodes)
        for message in messages:
            if isinstance(message, Link):
                link = newer_part(message, self._marks.known) if self._marks.known else message
                ends = None if link is None else self._fast_path.take(link)
                if link is not None and ends is not None:
                    self._pending.add(ends, link)
            elif message.kind in MARKING:
                self._mark(message)
            else:
                self._command(message)
        return self._end_batch(counter)

    def clean(self, idents: Iterable[Identifier], cause: Command) -> StitchEffects:
        """Resolves identifiers again whose links with erased identifiers end. Publishes the contests that remain.

        ``cause`` is the command of the erasure, without identifiers.
        """
        counter = self._tables.counters.get("") or Counter(0)
        self._recorder.start_batch(counter.seq)
        self._pending = PendingComponents(self._union_find, self._tables.nodes)
        for ident in idents:
            node = self._tables.nodes.get(ident)
            if node is None:
                continue
            remaining = remaining_contests(self._tenant, node, self._marks.unswept)
            if remaining is not None and node.state is not None:
                node.state.contested = remaining
                self._recorder.record_contested(ident, self._union_find.founder(ident), remaining)
            self._tables.nodes.put(ident, node)
            self._pending.add((ident,), cause)
        return self._end_batch(counter)

    def _end_batch(self, counter: Counter) -> StitchEffects:
        self._resolve_pending()
        if self._recorder.seq != counter.seq:
            self._tables.counters.put("", Counter(self._recorder.seq))
        return self._recorder.effects

    def _resolve_pending(self) -> None:
        while self._pending.causes:
            outcome = self._rebuilder.rebuild(next(iter(self._pending.causes)), self._pending.pairs)
            cause = self._pending.take_resolved(outcome.members)
            ChangeAnnouncer(outcome, cause, self._policy, self._union_find, self._recorder).announce()

    def profile_of(self, ident: Identifier) -> str:
        """Returns the id of the profile that owns the identifier now. Identifiers never seen have a profile id too."""
        return profile_id(self._tenant, self._union_find.founder(ident))

    def _mark(self, command: Command) -> None:
        """Marks all identifiers of a customer; to erase it, deletes its rows and resolves the rest of the component."""
        self._resolve_pending()
        nodes, tenant = self._tables.nodes, self._tenant
        customer = customer_of(command.a, self._union_find, nodes)
        people: list[bytes] = []
        others = [digest_of(tenant, profile_id(tenant, customer.founder))]  # a key of ROUTE's rows
        for ident in customer.identifiers:
            (people if self._policy.kind(ident).strong else others).append(digest_of(tenant, ident))
        kind = cast("MarkKind", command.kind)
        marking = Marking(tenant, command.event_id, kind, 0, command.timestamp_ms, people, others)
        self._recorder.record_marking(CHANGE_OF_COMMAND[kind], customer.founder, marking, command)
        self._on_marking(marking)
        if kind != "erase":
            return
        contests = erase_rows(customer, self._union_find, nodes)
        self._recorder.erase(customer.identifiers)
        for ident, remaining in contests.items():
            self._recorder.record_contested(ident, self._union_find.founder(ident), remaining)
        if customer.others:
            self._pending.add(tuple(customer.others), command)

    def _command(self, command: Command) -> None:
        ends, *others = apply(command, self._policy, self._union_find, self._tables.nodes)
        founders = self._union_find.founder(ends[0]), self._union_find.founder(ends[-1])
        self._recorder.record_change(
            CHANGE_OF_COMMAND[command.kind], founders, list(ends), command, reason=Reason.COMMAND
        )
        for affected in (ends, *others):
            linking = tuple(ident for ident in affected if not self._policy.kind(ident).must_agree)
            if linking:
                self._pending.add(linking, command)
