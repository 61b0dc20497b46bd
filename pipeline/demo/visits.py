"""The events of one visit: to the web shop or the store, of a mail, of an app session, of a change in the CRM."""

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from pipeline.demo.people import Person
from pipeline.event.instant import format_instant

JsonEvent = dict[str, Any]


class Product(msgspec.Struct, frozen=True):
    """A product of the shop."""

    sku: str
    name: str
    category: str
    price_minor: int


CATALOGUE: tuple[Product, ...] = tuple(
    Product(f"K-{number:03d}", name, category, price)
    for number, (name, category, price) in enumerate((
        ("Chef's knife", "knives", 12_900), ("Paring knife", "knives", 3_900), ("Bread knife", "knives", 6_900),
        ("Whetstone", "knives", 4_900), ("Cast-iron pot", "pots", 18_900), ("Steel pan", "pots", 9_900),
        ("Wok", "pots", 7_900), ("Pressure cooker", "pots", 14_900), ("Espresso machine", "machines", 79_900),
        ("Coffee grinder", "machines", 24_900), ("Stand mixer", "machines", 54_900), ("Kettle", "machines", 5_900),
        ("Fitted kitchen", "kitchens", 1_290_000), ("Kitchen island", "kitchens", 349_000),
        ("Worktop", "kitchens", 119_000),
    ))
)  # fmt: skip
KITCHENS = tuple(product for product in CATALOGUE if product.category == "kitchens")


class EventWriter:
    """Writes one person's events as JSON of the Segment spec. Every event has a unique message id."""

    def __init__(self, random: Random, person: Person) -> None:
        self._random = random
        self._person = person

    def visit(self, browser: str, *, logged_in: bool) -> Iterator[JsonEvent]:
        """Yields page views in the web shop, with products viewed and perhaps added to the cart or ordered."""
        product = self._random.choice(CATALOGUE)
        yield self._page(browser, f"/{product.category}", logged_in)
        for _ in range(self._random.randint(1, 5)):
            product = self._random.choice(CATALOGUE)
            yield self._page(browser, f"/{product.category}/{product.sku}", logged_in)
            yield self._web("product_viewed", browser, logged_in, _of(product))
        if self._random.random() < 0.3:
            yield self._web("product_added", browser, logged_in, _of(product))
            if logged_in and self._random.random() < 0.5:
                yield self._web("checkout_started", browser, logged_in, _of(product))
                yield self._web("order_completed", browser, logged_in, self._order([product]))

    def ad_click(self, browser: str) -> Iterator[JsonEvent]:
        """Yields a click on an ad as the ad platform reports it, and the landing page with the click id."""
        click = f"c{self._random.getrandbits(80):020x}"
        campaign = self._random.choice(("spring-knives", "dream-kitchen", "espresso-week"))
        yield self._event("ads", "track", "ad_clicked", {"click_id": click}, {"campaign": campaign, "cost_minor": 85})
        query = f"?utm_source=google&utm_medium=cpc&utm_campaign={campaign}&gclid={click}"
        yield self._page(browser, "/" + query, logged_in=False, identifiers={"click_id": click})

    def mail(self, *, clicked: bool) -> Iterator[JsonEvent]:
        """Yields the newsletter, opened and perhaps clicked. The spelling of the address varies as in mail systems."""
        address = self._random.choice(
            (self._person.email, self._person.email.title(), f" {self._person.email.upper()}")
        )
        letter = {"campaign": "newsletter-27", "subject": "A kitchen you will love"}
        yield self._event("email", "track", "email_opened", {"email": address}, letter)
        if clicked:
            yield self._event("email", "track", "email_clicked", {"email": address}, letter | {"link": "/kitchens"})

    def app(self, *, installed: bool, logged_in: bool) -> Iterator[JsonEvent]:
        """Yields the app being installed or opened, with screens viewed and perhaps an order."""
        identifiers = {"device_id": self._person.device}
        if installed:
            yield self._event(
                "app", "track", "application_installed", identifiers, {"version": "4.2"}, logged_in=logged_in
            )
        yield self._event("app", "track", "application_opened", identifiers, {"version": "4.2"}, logged_in=logged_in)
        for _ in range(self._random.randint(0, 3)):
            seen = _of(self._random.choice(CATALOGUE))
            yield self._event("app", "screen", "", identifiers, seen, logged_in=logged_in)
        if logged_in and self._random.random() < 0.2:
            bought = self._order([self._random.choice(CATALOGUE[:12])])
            yield self._event("app", "track", "order_completed", identifiers, bought, logged_in=True)

    def store(self, *, receipt_by_mail: bool) -> Iterator[JsonEvent]:
        """Yields a purchase at the till with the loyalty card, and with the e-mail address if the receipt is mailed."""
        bought = self._order(self._random.sample(CATALOGUE[:12], self._random.randint(1, 3)))
        identifiers = {"loyalty_id": self._person.card}
        if receipt_by_mail:
            identifiers["email"] = self._person.email
        yield self._event("pos", "track", "order_completed", identifiers, bought | {"store": "Market Street"})

    def log_in(self, browser: str) -> Iterator[JsonEvent]:
        """Yields the log-in: one event links account, e-mail address and browser, another may add the loyalty card."""
        person = self._person
        traits = {"first_name": person.first_name, "last_name": person.last_name, "email": person.email}
        yield self._event(
            "web", "identify", "", {"email": person.email}, {}, browser=browser, logged_in=True, traits=traits
        )
        if person.card:
            yield self._web(
                "card_added", browser, logged_in=True, properties={}, identifiers={"loyalty_id": person.card}
            )

    def app_log_in(self) -> Iterator[JsonEvent]:
        """Yields the log-in to the app, which links account and device."""
        yield self._event("app", "identify", "", {"device_id": self._person.device}, {}, logged_in=True)

    def contact(self) -> Iterator[JsonEvent]:
        """Yields a contact change in the CRM, with its contact id, e-mail address and telephone number."""
        person = self._person
        identifiers = {"crm_contact_id": person.contact, "email": person.email}
        traits: dict[str, Any] = {"first_name": person.first_name, "last_name": person.last_name, "city": "Springfield"}
        if person.phone:
            identifiers["phone"] = f"{person.phone[:2]} ({person.phone[2:5]}) {person.phone[5:8]}-{person.phone[8:]}"
            traits["phone"] = person.phone
        yield self._event("crm", "identify", "", identifiers, {}, traits=traits)

    def planning(self, browser: str) -> Iterator[JsonEvent]:
        """Yields the events before a kitchen purchase: product views, planner, prices, and the request of a quote."""
        for product in KITCHENS:
            yield self._page(browser, f"/kitchens/{product.sku}", logged_in=True)
            yield self._web("product_viewed", browser, logged_in=True, properties=_of(product))
        yield self._web("planner_used", browser, logged_in=True, properties={"minutes": self._random.randint(5, 40)})
        yield self._page(browser, "/kitchens/prices", logged_in=True)
        yield self._web("quote_requested", browser, logged_in=True, properties=_of(self._random.choice(KITCHENS)))

    def _page(self, browser: str, path: str, logged_in: bool, identifiers: dict[str, str] | None = None) -> JsonEvent:
        url = f"https://kitchen.example{path}"
        return self._event(
            "web", "page", "", identifiers or {}, {"path": path.partition("?")[0]},
            browser=browser, logged_in=logged_in, context={"page": {"url": url}},
        )  # fmt: skip

    def _web(
        self,
        name: str,
        browser: str,
        logged_in: bool,
        properties: JsonEvent,
        identifiers: dict[str, str] | None = None,
    ) -> JsonEvent:
        return self._event("web", "track", name, identifiers or {}, properties, browser=browser, logged_in=logged_in)

    def _event(
        self,
        channel: str,
        kind: str,
        name: str,
        identifiers: dict[str, str],
        properties: JsonEvent,
        *,
        browser: str = "",
        logged_in: bool = False,
        context: JsonEvent | None = None,
        traits: JsonEvent | None = None,
    ) -> JsonEvent:
        event: JsonEvent = {"channel": channel, "type": kind, "messageId": f"{self._random.getrandbits(96):024x}"}
        if name:
            event["event"] = name
        if logged_in:
            event["userId"] = self._person.user_id
        if browser:
            event["anonymousId"] = browser
        if identifiers:
            event["identifiers"] = identifiers
        for part, value in (("properties", properties), ("context", context), ("traits", traits)):
            if value:
                event[part] = value
        return event

    def _order(self, products: list[Product]) -> JsonEvent:
        total = sum(product.price_minor for product in products)
        return {
            "order_id": f"o{self._random.getrandbits(48):012x}",
            "total": total / 100,
            "currency": "USD",
            "products": [product.sku for product in products],
        }


def at(event: JsonEvent, timestamp_ms: int) -> JsonEvent:
    """Returns the event with its timestamp set, as ISO 8601."""
    event["timestamp"] = format_instant(timestamp_ms)
    return event


def _of(product: Product) -> JsonEvent:
    return {
        "sku": product.sku,
        "name": product.name,
        "category": product.category,
        "price": product.price_minor / 100,
        "currency": "USD",
    }
