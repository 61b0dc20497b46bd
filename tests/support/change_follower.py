"""A downstream reader that derives owners of identifiers and households from identity.changes alone."""

from collections.abc import Callable, Iterable
from typing import Any


class ChangeFollower:
    """Follows the public log from its beginning. ``born`` returns the profile of an identifier without a change."""

    def __init__(self, born: Callable[[str], str]) -> None:
        self._born = born
        self._owner: dict[str, str] = {}
        self._sharers: dict[str, set[str]] = {}
        self.seq = 0

    def take(self, changes: Iterable[dict[str, Any]]) -> "ChangeFollower":
        """Applies changes in log order. Asserts that each is consistent with the changes before."""
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
        """Returns the id of the profile that owns an identifier now."""
        return self._owner.get(ident, self._born(ident))

    def households(self) -> dict[str, list[str]]:
        """Returns profile ids by shared identifier, both sorted. Omits identifiers without members."""
        return {
            shared: sorted({self.owner(member) for member in members})
            for shared, members in sorted(self._sharers.items())
            if members
        }

    def _move(self, idents: Iterable[str], source: str, target: str) -> None:
        for ident in idents:
            assert self.owner(ident) == source != target, ident
            self._owner[ident] = target
