"""The rules of ``journeys.yaml``: carts, attribution, orders, surveys and preferences."""

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
    """The fields of an item event. Of several fields, the first one with a value counts."""

    id: tuple[str, ...] = ("properties.product_id", "properties.sku")
    """The product id. Without one, the name identifies the product."""
    name: tuple[str, ...] = ("properties.name", "properties.product", "properties.title")
    quantity: str = "properties.quantity"
    """An integer above 0. Without it, an addition counts one piece and a removal removes all pieces of the product."""
    price: str = "properties.price"
    """Price of one piece, in the event's currency. ``<field>_minor``, an integer in minor units, takes precedence."""

    def __post_init__(self) -> None:
        for field in (*self.id, *self.name, self.quantity, self.price):
            getter(field)


class CartRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The events that add items to the cart and remove them, and the time after which a cart is abandoned."""

    added: Filter
    removed: Filter | None = None
    bought: Filter
    """Purchases, which empty the cart."""
    item: ItemFields = ItemFields()
    abandoned_after_ms: PositiveDuration = 4 * HOUR_MS
    """A cart is abandoned after this time without an added, removed or bought item. At least a minute."""

    def __post_init__(self) -> None:
        for name, filter_ in (("added", self.added), ("removed", self.removed), ("bought", self.bought)):
            if filter_ == ANY:
                msg = f"{name} would match every event: give it events, such as [product_added]"
                raise ValueError(msg)
        if self.abandoned_after_ms < MINUTE_MS:
            msg = "abandoned_after is below a minute: write 1 min or more"
            raise ValueError(msg)


class Conversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A goal of marketing, and its value."""

    name: str
    filter: Filter
    value_minor: int = 0
    """Value in minor units of ``currency`` if the event has no amount."""
    currency: str = ""

    def __post_init__(self) -> None:
        if self.filter == ANY:
            msg = f"conversion {self.name!r} would match every event: give its filter events"
            raise ValueError(msg)
        if self.value_minor and exponent(self.currency) is None:
            msg = f"currency {self.currency!r} of conversion {self.name!r} is unknown: write a code such as EUR"
            raise ValueError(msg)


class AttributionRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The marketing touches, the conversions, and the distribution of credit."""

    touches: tuple[Sign, ...] = SIGNS
    """The signs of a marketing touch; one is enough: a campaign (in context or properties), an ad's click id, a
    referrer that is another site, or the channel ads."""
    filter: Filter = ANY
    """A further filter on touches. Use it to exclude events without a customer's action, such as a delivered e-mail."""
    own_hosts: tuple[str, ...] = ()
    """Hosts, including subdomains, that do not count as referrers: your own sites and payment providers."""
    conversions: tuple[Conversion, ...] = ()
    look_back_ms: PositiveDuration = 90 * DAY_MS
    """Touches older than this at the conversion get no credit."""
    half_life_ms: PositiveDuration = 7 * DAY_MS
    """For time decay: a touch that is older than another by this much gets half its credit."""
    first_percent: Percent = 40
    """For the model by position: the first touch's share. The touches in between divide the rest of 100."""
    last_percent: Percent = 40
    costs: Filter = Filter(channels=("ads",))
    """Events with the cost of an ad."""
    cost_field: str = "properties.cost"
    """The cost in units of the currency. ``<field>_minor``, an integer in minor units, takes precedence."""
    cost_currency: str = "USD"
    """Currency of costs whose event has no ``properties.currency``."""

    def __post_init__(self) -> None:
        unique("conversion", [conversion.name for conversion in self.conversions])
        getter(self.cost_field)
        if self.first_percent + self.last_percent > 100:
            msg = "first_percent and last_percent exceed 100 together: leave a rest, or 0, for those in between"
            raise ValueError(msg)
        if exponent(self.cost_currency) is None:
            msg = f"cost_currency {self.cost_currency!r} is unknown: write a code such as EUR"
            raise ValueError(msg)


class OrderRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The events of orders, refunds and cancellations. One order id is one order, however often its event arrives."""

    completed: Filter = Filter(events=("order_completed",))
    refunded: Filter = Filter(events=("order_refunded",))
    """Refunds. Each takes back the amount that it names, or else the rest of the order's amount."""
    cancelled: Filter = Filter(events=("order_cancelled", "order_canceled"))
    """Cancellations; treated like refunds."""
    id: tuple[str, ...] = (
        "properties.order_id", "properties.orderId", "properties.order_number", "properties.transaction_id",
    )  # fmt: skip
    """Fields of the order id. The first one with a value counts."""
    refund_id: tuple[str, ...] = ("properties.refund_id", "properties.refundId")
    """Fields of the refund id. Without a value, the event's own id distinguishes refunds."""

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
    """An event with a survey answer, which becomes the trait ``survey.QUESTION``."""

    filter: Filter
    question: str = "properties.question"
    """The field with the question's name, as text."""
    answer: str = "properties.answer"
    """The field with the answer: text, a number, true or false, or a list of these."""

    def __post_init__(self) -> None:
        getter(self.question)
        getter(self.answer)
        if self.filter == ANY:
            msg = "the survey would match every event: give the filter events"
            raise ValueError(msg)


class PreferenceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that states consent: of a preference centre, or a denial by itself, such as unsubscribing.

    A preference centre's statements are ``{purpose: true}`` or ``{purpose: {channel: false}}``.
    """

    filter: Filter
    field: str = ""
    """The field with the statements. Empty: the properties themselves are the statements."""
    denies: tuple[str, ...] = ()
    """Each ``purpose`` or ``purpose/channel`` that the event denies, whatever its properties are."""

    def __post_init__(self) -> None:
        if self.filter == ANY:
            msg = "the preference rule would match every event: give the filter events"
            raise ValueError(msg)
        if self.field and self.denies:
            msg = "a preference rule has denies or field, not both: leave one of them out"
            raise ValueError(msg)
        if self.field:
            getter(self.field)


class JourneyRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``journeys.yaml``."""

    carts: CartRules | None = None
    attribution: AttributionRules | None = None
    orders: OrderRules | None = OrderRules()
    """Null: every order event counts as one order, and refunds take nothing back."""
    surveys: tuple[SurveyRule, ...] = ()
    preferences: tuple[PreferenceRule, ...] = ()


NO_JOURNEYS = JourneyRules(orders=None)
"""Rules without carts, attribution and orders."""
