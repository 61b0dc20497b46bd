"""STITCH's logic: turns links and commands into assignments, moves and public changes.

A link is stored in the row of its weaker end. If the components of its ends together surely break no limit, the fast
path (:mod:`~pipeline.identity.fast_path`) joins them, and the profile of the oldest founder survives. If a limit may
break, the slow path (:mod:`~pipeline.identity.rebuild`) resolves the components again from their stored links, once, at
the end of the batch.
"""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.announce_changes import ChangeAnnouncer
from pipeline.identity.commands import CHANGE_OF_COMMAND, apply
from pipeline.identity.effects import EffectsRecorder, StitchEffects
from pipeline.identity.fast_path import FastPath
from pipeline.identity.messages import Command, Link
from pipeline.identity.pending import PendingComponents
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rebuild import Rebuilder
from pipeline.identity.rules import IdentityRules
from pipeline.identity.state import Counter, StitchTables
from pipeline.identity.union_find import UnionFind


class Stitcher:
    """The identities of one tenant. Links may arrive late, twice and in any order; only new facts have effects.

    After every batch the state equals :func:`~pipeline.identity.resolve.resolve` over all links and commands so far.
    """

    def __init__(self, tenant: str, rules: IdentityRules, tables: StitchTables) -> None:
        self._tenant = tenant
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
                ends = self._fast_path.take(message)
                if ends is not None:
                    self._pending.add(ends, message)
            else:
                self._command(message)
        while self._pending.causes:
            outcome = self._rebuilder.rebuild(next(iter(self._pending.causes)), self._pending.pairs)
            cause = self._pending.take_resolved(outcome.members)
            ChangeAnnouncer(outcome, cause, self._policy, self._union_find, self._recorder).announce()
        if self._recorder.seq != counter.seq:
            self._tables.counters.put("", Counter(self._recorder.seq))
        return self._recorder.effects

    def profile_of(self, ident: Identifier) -> str:
        """Returns the id of the profile that owns the identifier now. Identifiers never seen have a profile id too."""
        return profile_id(self._tenant, self._union_find.founder(ident))

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
