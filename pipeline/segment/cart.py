"""Operands for the content and the status of the cart."""

from collections.abc import Callable
from typing import Final, get_args

from pipeline.condition.advice import did_you_mean
from pipeline.condition.due import FOREVER
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.profile.journey.cart import Cart, CartState, Status, cart_of, cart_state_of
from pipeline.profile.journey.rules import CartRules
from pipeline.segment.facts import Facts
from pipeline.segment.money import currency_of, in_minor_units
from pipeline.segment.operand import Plain, ProfileOperand, Since, no_parts

CART: Final = "cart"
STATE: Final = "cart.state"
"""Key of the remembered status and due time."""
STATUSES: Final[tuple[str, ...]] = get_args(Status)
Now = Callable[[Facts], Cart]


def cart(path: tuple[str, ...], rules: CartRules | None) -> ProfileOperand:
    """Returns the operand of ``cart.status``, ``.amount.EUR``, ``.items``, ``.since`` or ``.updated``.

    Raises:
        MeaningError: the cart has no such attribute, or the rules declare no carts.
    """
    if rules is None:
        message = "the rules declare no carts"
        raise MeaningError(message, "add carts to journeys.yaml")

    def read(facts: Facts) -> Cart:
        return cart_of(facts.ledgers, rules, facts.as_of_ms)

    def read_state(facts: Facts) -> CartState:
        return cart_state_of(facts.ledgers, rules, facts.as_of_ms)

    def now(facts: Facts) -> Cart:
        current: Cart = facts.once(CART, read)
        return current

    attribute, parts = ".".join(path[1:2]), path[2:]
    if attribute == "amount":
        currency = currency_of("cart.amount", parts)
        no_parts(f"cart.amount.{currency}", parts[1:], "a number")
        return CartAmount(currency, now)
    if attribute == "status":
        no_parts("cart.status", parts, "a text")
        return CartStatus(read_state)
    if attribute not in _NAMED:
        message = f"cart has no {attribute}" if attribute else "cart needs the name of an attribute"
        raise MeaningError(message, did_you_mean(attribute, {*_NAMED, "amount.EUR", "status"}))
    what, make = _NAMED[attribute]
    no_parts(f"cart.{attribute}", parts, what)
    return make(now)


class CartStatus:
    """The status of the cart: ``none``, ``open`` or ``abandoned``."""

    kind: Kind = "text"
    keys = frozenset({CART})
    puts_off = frozenset({"abandoned"})
    """Values whose due time bookings can only postpone, never bring closer."""

    def __init__(self, read_state: Callable[[Facts], CartState]) -> None:
        self._read_state = read_state

    def read(self, facts: Facts) -> str:
        """Returns the status; it is never unknown."""
        return self._state(facts).status

    def convert(self, value: Value) -> str:
        """Returns the literal if it is a status. Raises MeaningError if it is not."""
        return status_of(value)

    def until(self, facts: Facts, check: Check) -> int:
        """Returns the exact due time: only an open cart changes by time alone, when it is abandoned."""
        status, due_ms = self._state(facts)
        return FOREVER if due_ms >= FOREVER or check.holds(status) == check.holds("abandoned") else due_ms

    def _state(self, facts: Facts) -> CartState:
        state: CartState = facts.once(STATE, self._read_state)
        return state


class CartAmount:
    """The total of the items in a currency; 0 for an empty cart."""

    kind: Kind = "number"
    keys = frozenset({CART})

    def __init__(self, currency: str, now: Now) -> None:
        self._currency, self._now = currency, now
        self.convert = in_minor_units(currency)

    def read(self, facts: Facts) -> int:
        """Returns the total in minor units."""
        return self._now(facts).amounts_minor.get(self._currency, 0)

    def until(self, _facts: Facts, _check: Check) -> int:
        """Returns FOREVER: only events change the content."""
        return FOREVER


def status_of(value: Value) -> str:
    """Returns a literal as a cart status.

    Raises:
        MeaningError: the literal is not a status.
    """
    status = str(converted("text", value))
    if status not in STATUSES:
        message = f"a cart is never {status!r}"
        raise MeaningError(message, did_you_mean(status, STATUSES))
    return status


_NAMED: Final[dict[str, tuple[str, Callable[[Now], ProfileOperand]]]] = {
    "items": ("a number", lambda now: Plain("number", CART, lambda facts: len(now(facts).items))),
    "since": ("a span of time", lambda now: Since(CART, lambda facts: now(facts).since_ms or None)),
    "updated": ("a span of time", lambda now: Since(CART, lambda facts: now(facts).updated_ms or None)),
}
