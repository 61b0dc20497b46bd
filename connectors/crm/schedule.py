"""The order in which actions are delivered: a barrier per lead, back-off per action, no clock of its own.

Actions about the same lead are delivered one after the other. While one of them waits for its next try, those behind
it wait too, and all other leads go on. Two actions are about the same lead if they share a profile or an action id, or
if one closes the other's lead as a duplicate. Of several revisions of one action only the highest is delivered.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from connectors.crm.sink import Action

FIRST_WAIT_MS: Final = 1_000
MAX_WAIT_MS: Final = 300_000


class Item(msgspec.Struct, eq=False):
    """An action that is not settled."""

    action: Action
    keys: tuple[str, ...]
    tries: int = 0
    due_ms: int = 0
    """Time before which it is not tried again."""


def item_of(action: Action) -> Item:
    """Returns the item of an action."""
    duplicate_of = action.body.get("duplicate_of", "")
    names = {f"profile {action.tenant}/{action.profile_id}", f"action {action.tenant}/{action.action_id}"}
    if duplicate_of:
        names.add(f"action {action.tenant}/{duplicate_of}")
    return Item(action, tuple(names))


def wait_ms(tries: int) -> int:
    """Returns the wait after a number of failed tries: 1 s, 2 s, 4 s … ``MAX_WAIT_MS``.

    >>> [wait_ms(tries) for tries in (1, 2, 3, 30)]
    [1000, 2000, 4000, 300000]
    """
    return int(min(MAX_WAIT_MS, FIRST_WAIT_MS << min(max(tries, 1) - 1, 20)))


class Schedule:
    """The open items in the order of arrival.

    ``in_order``: one item that waits holds back every item behind it, whatever its lead.
    """

    def __init__(self, *, in_order: bool = False) -> None:
        self._items: list[Item] = []
        self.in_order = in_order

    def __len__(self) -> int:
        return len(self._items)

    def add(self, items: Iterable[Item]) -> None:
        """Appends items."""
        self._items += items

    def remove(self, items: Iterable[Item]) -> None:
        """Removes settled items."""
        settled = {id(item) for item in items}
        self._items = [item for item in self._items if id(item) not in settled]

    def superseded(self) -> list[Item]:
        """Returns the items of which a higher revision is open too. None of them has to be delivered."""
        if self.in_order:
            return []
        highest: dict[tuple[str, str], int] = {}
        for item in self._items:
            key = (item.action.tenant, item.action.action_id)
            highest[key] = max(item.action.revision, highest.get(key, 0))
        return [
            item
            for item in self._items
            if item.action.revision < highest[item.action.tenant, item.action.action_id]
        ]  # fmt: skip

    def due(self, now_ms: int, limit: int) -> list[Item]:
        """Returns at most ``limit`` items to deliver now, at most one of each lead."""
        if self.in_order:
            return list(self._leading(now_ms, limit))
        chosen: list[Item] = []
        taken: set[str] = set()
        for item in self._items:
            if taken.isdisjoint(item.keys) and item.due_ms <= now_ms:
                chosen.append(item)
                if len(chosen) == limit:
                    break
            taken.update(item.keys)
        return chosen

    def next_due_ms(self) -> int | None:
        """Returns the earliest time at which an item is due; None without items."""
        return min((item.due_ms for item in self._items), default=None)

    def _leading(self, now_ms: int, limit: int) -> Iterator[Item]:
        for item in self._items[:limit]:
            if item.due_ms > now_ms:
                return
            yield item
