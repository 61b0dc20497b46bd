"""STITCH's brain: links and commands in, assignments, moves and public changes out.

1. Note the link in the row of its weaker end; a known one only widens its extremes.
2. Find both components by union-find with path halving.
3. If together they surely break no limit, join them: every link is accepted, the oldest founder's profile survives.
4. Tell the members whose profile that changes.
5. Where a limit may break, resolve those components again from their stored links, once, at the end of the batch.
"""

from collections.abc import Sequence

from pipeline.event.identifier import Identifier
from pipeline.event.reason import Reason
from pipeline.identity.commands import LINES, apply
from pipeline.identity.dirty import Dirty
from pipeline.identity.effects import Scribe, StitchEffects
from pipeline.identity.fast_path import FastPath
from pipeline.identity.forest import Forest
from pipeline.identity.messages import Command, Link
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rebuild import Rebuilder
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.rules import IdentityRules
from pipeline.identity.state import Counter, StitchTables
from pipeline.identity.verdict import Verdict


class Stitcher:
    """One tenant's identities. Links may come late, twice and in any order; only new facts have effects.

    After every batch the state equals :func:`~pipeline.identity.resolve.resolve` over all links and commands so far.
    """

    def __init__(self, tenant: str, rules: IdentityRules, tables: StitchTables) -> None:
        self._tenant = tenant
        self._book = Rulebook(rules)
        self._tables = tables
        self._forest = Forest(tables.nodes)
        self._scribe = Scribe(tenant)
        self._fast_path = FastPath(self._book, self._forest, tables.nodes, self._scribe)
        self._rebuilder = Rebuilder(self._book, self._forest, tables.nodes)
        self._dirty = Dirty(self._forest, tables.nodes)

    def on_links(self, messages: Sequence[Link | Command], now_ms: int) -> StitchEffects:  # noqa: ARG002 - as every stage
        """Take a batch in log order; the state rows are put, the records are returned for the shell to send.

        Time is the messages' own: ``now_ms`` has no influence, so a replay decides as the first run did. Where an error
        leaves this, the rows put so far must be thrown away with the unit of work; the stitcher itself can go on.
        """
        counter = self._tables.counters.get("") or Counter(0)
        self._scribe.begin(counter.seq)
        self._dirty = Dirty(self._forest, self._tables.nodes)
        for message in messages:
            if isinstance(message, Link):
                ends = self._fast_path.take(message)
                if ends is not None:
                    self._dirty.add(ends, message)
            else:
                self._command(message)
        while self._dirty.causes:
            outcome = self._rebuilder.rebuild(next(iter(self._dirty.causes)), self._dirty.pairs)
            cause = self._dirty.settled(outcome.members)
            Verdict(outcome, cause, self._book, self._forest, self._scribe).tell()
        if self._scribe.seq != counter.seq:
            self._tables.counters.put("", Counter(self._scribe.seq))
        return self._scribe.effects

    def profile_of(self, ident: Identifier) -> str:
        """The id of the profile that owns the identifier now; every identifier has one, known or not."""
        return profile_id(self._tenant, self._forest.founder(ident))

    def _command(self, command: Command) -> None:
        ends, *others = apply(command, self._book, self._forest, self._tables.nodes)
        founders = self._forest.founder(ends[0]), self._forest.founder(ends[-1])
        self._scribe.note(LINES[command.kind], founders, list(ends), command, reason=Reason.COMMAND)
        for touched in (ends, *others):
            self._dirty.add(touched, command)
