"""A naive implementation of firebreaks, from the log itself: for each identifier, the set of those it is shared by."""

import math
from collections import defaultdict

from pipeline.identity.messages import Command, Link
from pipeline.identity.rules import IdentityRules, IdentityType


class NaiveFirebreaks:
    """Everything that is seen of each pair, and what people decided; then one identifier after the other."""

    def __init__(self, links: list[Link], commands: list[Command], rules: IdentityRules) -> None:
        self._kinds = {kind.name: kind for kind in rules.types}
        self._seen: dict[tuple[str, str], float] = {}
        self._ended: dict[tuple[str, str], float] = defaultdict(lambda: -math.inf)
        self._logouts: dict[str, list[float]] = defaultdict(list)
        self._settled: dict[tuple[str, str], int] = {}
        self._suppressed: set[str] = set()
        self._trusted: set[str] = set()
        for link in links:
            self._see(link.anchor, link.other, link.last_seen_ms)
        for command in commands:
            self._obey(command)
        self._idents = sorted({ident for pair in self._seen for ident in pair})

    def _kind(self, ident: str) -> IdentityType:
        return self._kinds[ident.partition(":")[0]]

    def _pair(self, a: str, b: str) -> tuple[str, str]:
        ranked = sorted((a, b), key=lambda item: (self._kind(item).priority, self._kind(item).name, item))
        apart = sorted(ranked, key=lambda item: not self._kind(item).household)
        first, second = sorted(apart, key=lambda item: not self._kind(item).must_agree)
        return first, second

    def _see(self, a: str, b: str, at_ms: float) -> None:
        if a != b and not (self._kind(a).must_agree or self._kind(b).must_agree):
            self._seen[self._pair(a, b)] = max(self._seen.get(self._pair(a, b), -math.inf), at_ms)

    def _obey(self, command: Command) -> None:
        pair = self._pair(command.a, command.b) if command.b else ("", command.a)
        if command.kind == "link":
            self._ended.pop(pair, None)
            self._settled[pair] = len(self._logouts[pair[1]])
            self._see(*pair, command.timestamp_ms)
        elif command.kind == "unlink":
            self._ended[pair] = math.inf
        elif command.kind == "logout":
            self._ended[pair] = max(self._ended[pair], command.timestamp_ms)
            self._logouts[pair[1]].append(command.timestamp_ms)
        elif command.kind == "suppress":
            self._suppressed.add(command.a)
            self._trusted.discard(command.a)
        elif command.a in self._suppressed:
            self._suppressed.remove(command.a)
        else:
            self._trusted.add(command.a)

    def isolated(self) -> set[str]:
        """Returns the identifiers behind a firebreak; not those that are suppressed or of a household type."""
        self._stale: set[tuple[str, str]] = set()
        away = self._suppressed | {ident for ident in self._idents if self._kind(ident).household}
        result: set[str] = set()
        for rank in sorted({self._kind(ident).priority for ident in self._idents}, reverse=True):
            for ident in [ident for ident in self._idents if self._kind(ident).priority == rank]:
                if self._is_shared(ident, away | result) and ident not in away:
                    result.add(ident)
        return result

    def _is_shared(self, ident: str, away: set[str]) -> bool:
        kind = self._kind(ident)
        if not kind.firebreak_above or ident in self._trusted:
            return False
        direct = {
            strong: at_ms
            for (strong, weak), at_ms in self._seen.items()
            if weak == ident and self._counts(strong, ident) and self._ended[strong, weak] < math.inf
        }
        behind = self._behind(ident, away)
        if len(direct.keys() | behind) <= kind.firebreak_above:
            return False
        old = set()
        if kind.firebreak_window_ms:
            newest = max(direct.values(), default=0)
            old = {strong for strong, at_ms in direct.items() if newest - at_ms > kind.firebreak_window_ms}
        if len(direct.keys() - old | behind) > kind.firebreak_above:
            return True
        self._stale |= {(strong, ident) for strong in old}
        return False

    def _counts(self, strong: str, ident: str) -> bool:
        one, kind = self._kind(strong), self._kind(ident)
        return (
            (one.strong or kind.firebreak_counts_weak)
            and one.priority < kind.priority
            and not (one.household or one.must_agree)
        )

    def _behind(self, ident: str, away: set[str]) -> set[str]:
        kind, people = self._kind(ident), set[str]()
        if not kind.firebreak_counts_weak or kind.household:
            return people
        for weak in self._idents:
            other = self._kind(weak)
            thing = not (other.strong or other.exclusive or other.household) and other.priority > kind.priority
            if not thing or (ident, weak) not in self._seen:
                continue
            alike = {item for item in self._idents if self._kind(item).name == kind.name and self._is_used(item, weak)}
            if weak not in away and alike == {ident}:
                people |= {
                    strong
                    for strong in self._idents
                    if self._counts(strong, ident)
                    and (strong, weak) in self._seen
                    and (strong, weak) not in self._stale
                    and self._ended[strong, weak] < math.inf
                }
        return people

    def _is_used(self, thing: str, weak: str) -> bool:
        """Whether the two were seen together after the last log-out, recently enough for the weaker one."""
        pair = (thing, weak)
        if pair not in self._seen or pair in self._stale:
            return False
        ended = self._ended[pair]
        if self._kind(thing).strong:
            ended = max([ended, *self._logouts[weak][self._settled.get(pair, 0) :]])
        return self._seen[pair] > ended
