"""Names for what lies in the cart, and whether it was left there."""

from collections.abc import Callable
from typing import Final, get_args

from pipeline.condition.advice import did_you_mean
from pipeline.condition.due import FOREVER, due_in_steps
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.profile.journey.cart import Cart, Status, cart_of
from pipeline.profile.journey.rules import CartRules
from pipeline.segment.facts import Facts
from pipeline.segment.money import currency_of, in_minor_units
from pipeline.segment.operand import Plain, ProfileOperand, Since, no_parts

CART: Final = "cart"
STATUSES: Final[tuple[str, ...]] = get_args(Status)
Now = Callable[[Facts], Cart]


def cart(path: tuple[str, ...], rules: CartRules | None) -> ProfileOperand:
    """``cart.status``, ``cart.amount.EUR``, ``cart.items`` (how many products), ``cart.updated`` (how long ago).

    Raises:
        MeaningError: there is no such name, or no rules for carts.
    """
    if rules is None:
        message = "no carts are kept"
        raise MeaningError(message, "add carts to journeys.yaml")

    def now(facts: Facts) -> Cart:
        current: Cart = facts.once(CART, lambda facts: cart_of(facts.ledgers, rules, facts.as_of_ms))
        return current

    attribute, parts = ".".join(path[1:2]), path[2:]
    if attribute == "amount":
        currency = currency_of("cart.amount", parts)
        no_parts(f"cart.amount.{currency}", parts[1:], "a number")
        return CartAmount(currency, now)
    if attribute not in _NAMED:
        message = f"cart has no {attribute}" if attribute else "cart needs the name of what is asked of it"
        raise MeaningError(message, did_you_mean(attribute, {*_NAMED, "amount.EUR"}))
    what, make = _NAMED[attribute]
    no_parts(f"cart.{attribute}", parts, what)
    return make(now)


class CartStatus:
    """``none``, ``open`` or ``abandoned``."""

    kind: Kind = "text"
    keys = frozenset({CART})
    puts_off = frozenset({"abandoned"})
    """Values for which a due time can only move further away when something is booked."""

    def __init__(self, now: Now) -> None:
        self._now = now

    def read(self, facts: Facts) -> str:
        """Never unknown."""
        return self._now(facts).status

    def convert(self, value: Value) -> str:
        """One of the three."""
        return status_of(value)

    def until(self, facts: Facts, check: Check) -> int:
        """Exact: a cart that is open will be abandoned, and no other changes by itself."""
        current = self._now(facts)
        return due_in_steps(
            check.holds, current.status, [(current.due_ms, "abandoned")] if current.due_ms < FOREVER else []
        )


class CartAmount:
    """What the items come to in a currency; 0 without any."""

    kind: Kind = "number"
    keys = frozenset({CART})

    def __init__(self, currency: str, now: Now) -> None:
        self._currency, self._now = currency, now
        self.convert = in_minor_units(currency)

    def read(self, facts: Facts) -> int:
        """In minor units."""
        return self._now(facts).amounts_minor.get(self._currency, 0)

    def until(self, _facts: Facts, _check: Check) -> int:
        """Never: the content changes by events alone."""
        return FOREVER


def status_of(value: Value) -> str:
    """A literal that a cart's status can be compared with.

    Raises:
        MeaningError: no cart is ever that.
    """
    status = str(converted("text", value))
    if status not in STATUSES:
        message = f"a cart is never {status!r}"
        raise MeaningError(message, did_you_mean(status, STATUSES))
    return status


_NAMED: Final[dict[str, tuple[str, Callable[[Now], ProfileOperand]]]] = {
    "status": ("a text", CartStatus),
    "items": ("a number", lambda now: Plain("number", CART, lambda facts: len(now(facts).items))),
    "since": ("a span of time", lambda now: Since(CART, lambda facts: now(facts).since_ms or None)),
    "updated": ("a span of time", lambda now: Since(CART, lambda facts: now(facts).updated_ms or None)),
}
