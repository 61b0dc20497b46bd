"""A downstream reader of identity.changes, which has nothing else: whose is each identifier, who shares a household."""

from collections.abc import Callable, Iterable
from typing import Any


class ChangeFollower:
    """Follows the public log from its beginning. ``born`` names the profile of an identifier no line has spoken of."""

    def __init__(self, born: Callable[[str], str]) -> None:
        self._born = born
        self._owner: dict[str, str] = {}
        self._sharers: dict[str, set[str]] = {}
        self.seq = 0

    def take(self, changes: Iterable[dict[str, Any]]) -> "ChangeFollower":
        """Lines in the order of the log. Each must fit what the lines before it said."""
        for change in changes:
            assert change["seq"] > self.seq, "numbers rise"
            self.seq = change["seq"]
            mine, other, idents = change["profile_id"], change["other_profile_id"], change["identifiers"]
            match change["change"]:
                case "merged":
                    self._move(idents, other, mine)
                case "split":
                    self._move(idents, mine, other)
                case "joined":
                    member, shared = idents
                    assert (self.owner(member), self.owner(shared)) == (mine, other)
                    assert member not in self._sharers.setdefault(shared, set())
                    self._sharers[shared].add(member)
                case "left":
                    member, shared = idents
                    assert (self.owner(member), self.owner(shared)) == (mine, other)
                    self._sharers[shared].remove(member)
        return self

    def owner(self, ident: str) -> str:
        """The profile id that owns an identifier now."""
        return self._owner.get(ident, self._born(ident))

    def households(self) -> dict[str, list[str]]:
        """Profile ids by the identifier they share, both sorted; only of those that somebody shares."""
        return {
            shared: sorted({self.owner(member) for member in members})
            for shared, members in sorted(self._sharers.items())
            if members
        }

    def _move(self, idents: Iterable[str], source: str, target: str) -> None:
        for ident in idents:
            assert self.owner(ident) == source != target, ident
            self._owner[ident] = target
