"""Rules of journeys: carts, attribution, surveys, preferences. The structs are what ``journeys.yaml`` is read into."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from pipeline.event.duration import DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.event.form import PositiveDuration
from pipeline.event.money import exponent
from pipeline.profile.fields import getter
from pipeline.profile.filter import Filter
from pipeline.profile.rules import unique

Sign: TypeAlias = Literal["campaign", "click_id", "referrer", "ads"]
SIGNS: tuple[Sign, ...] = ("campaign", "click_id", "referrer", "ads")
Percent: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=100)]
ANY = Filter()


class ItemFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an item event says which product it is about. Of several fields the first that has a value counts."""

    id: tuple[str, ...] = ("properties.product_id", "properties.sku")
    """What tells products apart; without it the name does."""
    name: tuple[str, ...] = ("properties.name", "properties.product", "properties.title")
    quantity: str = "properties.quantity"
    """A whole number above 0. Without one, one is added, and all of the product are removed."""
    price: str = "properties.price"
    """Of one piece, in the event's currency; ``<field>_minor``, an integer in minor units, goes before it."""

    def __post_init__(self) -> None:
        for field in (*self.id, *self.name, self.quantity, self.price):
            getter(field)


class CartRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What puts items into the cart and takes them out, and when a cart counts as abandoned."""

    added: Filter
    removed: Filter | None = None
    bought: Filter
    """A purchase empties the cart."""
    item: ItemFields = ItemFields()
    abandoned_after_ms: PositiveDuration = 4 * HOUR_MS
    """Nothing added, removed or bought for this long, at least a minute, and the cart is abandoned."""

    def __post_init__(self) -> None:
        for name, filter_ in (("added", self.added), ("removed", self.removed), ("bought", self.bought)):
            if filter_ == ANY:
                msg = f"{name} would match every event: give it events, such as [product_added]"
                raise ValueError(msg)
        if self.abandoned_after_ms < MINUTE_MS:
            msg = "abandoned_after is below a minute: write 1 min or more"
            raise ValueError(msg)


class Conversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What marketing works towards, and what one is worth."""

    name: str
    filter: Filter
    value_minor: int = 0
    """Worth in minor units of ``currency`` where the event names no amount of its own."""
    currency: str = ""

    def __post_init__(self) -> None:
        if self.filter == ANY:
            msg = f"conversion {self.name!r} would match every event: give its filter events"
            raise ValueError(msg)
        if self.value_minor and exponent(self.currency) is None:
            msg = f"currency {self.currency!r} of conversion {self.name!r} is unknown: write a code such as EUR"
            raise ValueError(msg)


class AttributionRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which touches are marketing's, what they lead to, and how the credit is shared."""

    touches: tuple[Sign, ...] = SIGNS
    """A touch counts that has one of these: a campaign (in its context or properties), an ad's click id, a referrer
    that is another site, or the channel ads."""
    filter: Filter = ANY
    """Which of those count: what is only sent, such as a delivered e-mail, is no touch."""
    own_hosts: tuple[str, ...] = ()
    """Sites, with all below them, that are no referrers: your own, and those that take payments."""
    conversions: tuple[Conversion, ...] = ()
    look_back_ms: PositiveDuration = 90 * DAY_MS
    """A touch older than this at the conversion gets no credit."""
    half_life_ms: PositiveDuration = 7 * DAY_MS
    """Time decay: a touch this much older than another gets half its credit."""
    first_percent: Percent = 40
    """By position: what the first touch gets; those between share what is left of 100."""
    last_percent: Percent = 40
    costs: Filter = Filter(channels=("ads",))
    """Which events tell what an ad has cost."""
    cost_field: str = "properties.cost"
    """The cost in units of the currency; ``<field>_minor``, an integer in minor units, goes before it."""
    cost_currency: str = "USD"
    """Of costs whose event has no ``properties.currency``."""

    def __post_init__(self) -> None:
        unique("conversion", [conversion.name for conversion in self.conversions])
        getter(self.cost_field)
        if self.first_percent + self.last_percent > 100:
            msg = "first_percent and last_percent are more than 100 together: leave some, or nothing, for those between"
            raise ValueError(msg)
        if exponent(self.cost_currency) is None:
            msg = f"cost_currency {self.cost_currency!r} is unknown: write a code such as EUR"
            raise ValueError(msg)


class OrderRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are orders and which take money back: one order id is one order, however often its event comes."""

    completed: Filter = Filter(events=("order_completed",))
    refunded: Filter = Filter(events=("order_refunded",))
    """Takes back the amount it names, or without one all that is left of the order."""
    cancelled: Filter = Filter(events=("order_cancelled", "order_canceled"))
    """As ``refunded``."""
    id: tuple[str, ...] = (
        "properties.order_id", "properties.orderId", "properties.order_number", "properties.transaction_id",
    )  # fmt: skip
    """Where the id of the order stands; the first that has a value counts."""
    refund_id: tuple[str, ...] = ("properties.refund_id", "properties.refundId")
    """Where the id of the refund stands; without one the event's own id distinguishes refunds."""

    def __post_init__(self) -> None:
        for field in (*self.id, *self.refund_id):
            getter(field)
        for name, filter_ in (
            ("completed", self.completed),
            ("refunded", self.refunded),
            ("cancelled", self.cancelled),
        ):
            if not filter_.events:
                msg = f"{name} would match every event: give it events, such as [order_{name}]"
                raise ValueError(msg)


class SurveyRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that holds an answer: it becomes the trait ``survey.QUESTION``."""

    filter: Filter
    question: str = "properties.question"
    """The field that names the question, as a text."""
    answer: str = "properties.answer"
    """The field that holds the answer: a text, a number, true or false, or a list of those."""

    def __post_init__(self) -> None:
        getter(self.question)
        getter(self.answer)
        if self.filter == ANY:
            msg = "answers would be looked for in every event: give the filter events"
            raise ValueError(msg)


class PreferenceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that states consent: of the preference centre, or one that is a no by itself, such as unsubscribing.

    A preference centre's statements are ``{purpose: true}`` or ``{purpose: {channel: false}}``.
    """

    filter: Filter
    field: str = ""
    """The field that holds the statements; without it they are the properties themselves."""
    denies: tuple[str, ...] = ()
    """What the event denies, as ``purpose`` or ``purpose/channel``, whatever its properties are."""

    def __post_init__(self) -> None:
        if self.filter == ANY:
            msg = "preferences would be read from every event: give the filter events"
            raise ValueError(msg)
        if self.field and self.denies:
            msg = "denies is a statement by itself, and field names where one stands: leave one of them out"
            raise ValueError(msg)
        if self.field:
            getter(self.field)


class JourneyRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``journeys.yaml``."""

    carts: CartRules | None = None
    attribution: AttributionRules | None = None
    orders: OrderRules | None = OrderRules()
    """Null: orders are counted by their events alone, and refunds take nothing back."""
    surveys: tuple[SurveyRule, ...] = ()
    preferences: tuple[PreferenceRule, ...] = ()


NO_JOURNEYS = JourneyRules(orders=None)
"""Neither carts nor attribution nor orders are kept."""
