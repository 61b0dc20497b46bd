"""The current cart: the items added and not removed since the last purchase, over all ledgers of a profile."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipeline.profile.journey.booking import ADDED
from pipeline.profile.journey.kept import CartLog
from pipeline.profile.journey.lines import Line, fields_of, time_of
from pipeline.profile.journey.rules import CartRules
from pipeline.profile.ledger import Ledger

Status: TypeAlias = Literal["none", "open", "abandoned"]
_REMEMBERED: Final = 1 << 13
FOREVER: Final = 1 << 60
"""No due time: an empty or abandoned cart does not change without an event."""


class Item(NamedTuple):
    """A product in the cart."""

    id: str
    name: str
    quantity: int
    price_minor: int
    """Price of one piece in the newest event that added it; 0 if it has none."""
    currency: str


class Cart(NamedTuple):
    """A customer's cart at one moment."""

    status: Status
    items: tuple[Item, ...]
    """The items in the order in which they were first added."""
    amounts_minor: dict[str, int]
    """The total of the items by currency, in minor units."""
    since_ms: int
    """When the first item was added to the empty cart, in ms since 1970; 0 without items."""
    updated_ms: int
    """When an item was last added or removed, in ms since 1970; 0 without items."""
    due_ms: int
    """When the cart becomes abandoned without further events, in ms since 1970; else :data:`FOREVER`."""


EMPTY: Final = Cart("none", (), {}, 0, 0, FOREVER)


class CartState(NamedTuple):
    """The fields of a :class:`Cart` that depend on the time."""

    status: Status
    due_ms: int


_NO_ITEMS: Final = CartState("none", FOREVER)


def cart_of(ledgers: Sequence[Ledger], rules: CartRules | None, as_of_ms: int) -> Cart:
    """Returns the cart at ``as_of_ms``, which must not be before the newest touch.

    A purchase in any ledger empties the cart: items that a browser collected before a purchase under the account count
    as bought or given up. Removing more than the cart has leaves zero.
    """
    lines = _lines_of(ledgers)
    if rules is None or not lines:
        return EMPTY
    content = _content(tuple(lines))
    if not content.items:
        return EMPTY
    status, due_ms = _state_after(content.updated_ms, rules, as_of_ms)
    return Cart(status, *content, due_ms)


def cart_state_of(ledgers: Sequence[Ledger], rules: CartRules, as_of_ms: int) -> CartState:
    """Returns the same status and due time as :func:`cart_of`, usually without replaying the item events."""
    lines = _lines_of(ledgers)
    # The product that the last event added is in the cart. Only after a removal is the content needed.
    if not lines or (fields_of(lines[-1])[2] != ADDED and not _content(tuple(lines)).items):
        return _NO_ITEMS
    return _state_after(time_of(lines[-1]), rules, as_of_ms)


def cart_view(cart: Cart) -> dict[str, Any]:
    """Returns the cart as JSON values. A missing due time is null."""
    return cart._asdict() | {
        "items": [item._asdict() for item in cart.items],
        "due_ms": None if cart.due_ms == FOREVER else cart.due_ms,
    }


class _Content(NamedTuple):
    """The fields of a :class:`Cart` that do not depend on the time."""

    items: tuple[Item, ...]
    amounts_minor: dict[str, int]
    since_ms: int
    updated_ms: int


@lru_cache(maxsize=_REMEMBERED)
def _content(lines: tuple[Line, ...]) -> _Content:
    """Returns the content after these item events. Callers must not change the amounts.

    Cached, because a cart is read more often than it changes: at most touches and in every update.
    """
    items: dict[str, Item] = {}
    since_ms = 0
    for line in lines:
        if not items:
            since_ms = time_of(line)
        _replay(items, line)
    return _Content(tuple(items.values()), _amounts(items.values()), since_ms, time_of(lines[-1]))


def _lines_of(ledgers: Sequence[Ledger]) -> list[Line]:
    """Returns the item events since the last purchase, sorted."""
    logs = [ledger.cart for ledger in ledgers if ledger.cart is not None]
    return logs[0].lines if len(logs) == 1 else _after_purchase(logs)


def _state_after(updated_ms: int, rules: CartRules, as_of_ms: int) -> CartState:
    """Returns the state of a cart with items."""
    due_ms = updated_ms + rules.abandoned_after_ms
    return CartState("abandoned", FOREVER) if as_of_ms >= due_ms else CartState("open", due_ms)


def _after_purchase(logs: Sequence[CartLog]) -> list[Line]:
    """Returns the item events of several logs after the newest purchase in any of them, sorted."""
    bought = max((log.bought for log in logs), default="")
    return sorted(line for log in logs for line in log.lines if line > bought)


def _replay(items: dict[str, Item], line: Line) -> None:
    _, _, sign, quantity, price_minor, currency, product, name = fields_of(line)
    pieces, item = int(quantity), items.get(product)
    if sign == ADDED:
        before = 0 if item is None else item.quantity
        if item is not None and not currency:  # the event that added more has no price
            price_minor, currency = str(item.price_minor), item.currency
        items[product] = Item(product, name, before + (pieces or 1), int(price_minor), currency)
    elif item is not None:
        left = item.quantity - pieces if pieces else 0
        if left > 0:
            items[product] = item._replace(quantity=left)
        else:
            del items[product]


def _amounts(items: Any) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for item in items:
        if item.currency:
            amounts[item.currency] = amounts.get(item.currency, 0) + item.quantity * item.price_minor
    return dict(sorted(amounts.items()))
