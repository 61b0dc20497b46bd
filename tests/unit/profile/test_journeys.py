"""Carts, attribution, surveys and preferences: the booking of single touches, and the values read."""

from typing import Any

import pytest

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.identity.messages import Move
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.filter import Filter
from pipeline.profile.fold import consent_of, traits_of
from pipeline.profile.journey.attribution import Converted, attribution_of, costs_of, minor_of
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.journey.cart import EMPTY, Item, cart_of, cart_view
from pipeline.profile.journey.credit import distribute
from pipeline.profile.journey.kept import CartLog, Journey, merge_carts, merge_journeys
from pipeline.profile.journey.rules import (
    AttributionRules,
    CartRules,
    Conversion,
    JourneyRules,
    PreferenceRule,
    SurveyRule,
)
from pipeline.profile.journey.signs import host_of
from pipeline.profile.ledger import Ledger
from pipeline.profile.logic import ProfileLogic
from pipeline.profile.messages import Touch
from pipeline.profile.publish import cart_text
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules
from tests.property.profile_histories import START_MS, touch

CARTS = CartRules(added=Filter(events=("add",)), removed=Filter(events=("remove",)), bought=Filter(events=("buy",)))
ORDER = Conversion(name="order", filter=Filter(events=("buy",)))
QUOTE = Conversion(name="quote", filter=Filter(events=("ask",)), value_minor=5000, currency="EUR")
RULES = AttributionRules(own_hosts=("shop.example",), conversions=(ORDER, QUOTE))


def ledger(rules: JourneyRules, *touches: Touch) -> Ledger:
    made, plan = Ledger(), Plan((), (), journey_bookings(rules))
    for entry in touches:
        apply_touch(plan, made, entry)
    return made


def item(number: int, event: str, /, **properties: Any) -> Touch:
    return touch(number, number * 1000, name=event, properties=properties)


def cart(*touches: Touch) -> Any:
    return cart_of([ledger(JourneyRules(carts=CARTS), *touches)], CARTS, START_MS + HOUR_MS)


def test_a_cart_has_pieces_prices_and_what_they_come_to_by_currency() -> None:
    result = cart(
        item(1, "add", sku="K", name="Kettle", price=19.99, quantity=2, currency="eur"),
        item(2, "add", product_id=7, title="Wok", price_minor=500, price=9, currency="JPY"),
        item(3, "add", sku="K", name="Kettle"),
        item(4, "remove", sku="K", quantity=1),
    )
    assert result.items == (Item("K", "Kettle", 2, 1999, "EUR"), Item("7", "Wok", 1, 500, "JPY"))
    assert result.amounts_minor == {"EUR": 3998, "JPY": 500}
    assert (result.status, result.since_ms, result.updated_ms) == ("open", START_MS + 1000, START_MS + 4000)
    assert cart_view(result)["due_ms"] == START_MS + 4000 + 4 * HOUR_MS
    assert cart_view(result)["items"][1] == {
        "id": "7", "name": "Wok", "quantity": 1, "price_minor": 500, "currency": "JPY",
    }  # fmt: skip


def test_what_is_taken_out_whole_or_bought_is_in_no_cart() -> None:
    assert cart(item(1, "add", sku="K", quantity=3), item(2, "remove", sku="K")) == EMPTY
    assert cart(item(1, "add", sku="K"), item(2, "buy")) == EMPTY
    assert cart(item(1, "remove", sku="K")) == EMPTY
    assert cart_view(EMPTY)["due_ms"] is None
    again = cart(item(3, "add", sku="L"), item(1, "add", sku="K"), item(2, "buy"))
    assert [entry.id for entry in again.items] == ["L"]
    assert again.since_ms == START_MS + 3000


def test_a_cart_is_not_read_without_rules_for_it() -> None:
    kept = ledger(JourneyRules(carts=CARTS), item(1, "add", sku="K"))
    assert cart_of([kept], None, START_MS + HOUR_MS) == EMPTY
    assert ledger(JourneyRules(carts=CartRules(added=CARTS.added, bought=CARTS.bought)), item(1, "remove")).cart is None


def test_a_cart_is_published_with_its_content_and_without_its_due_time() -> None:
    rules = JourneyRules(carts=CARTS)
    full, bare = ledger(rules, item(1, "add", sku="K", name="Kettle", price=2, currency="EUR")), Ledger()
    emptied = ledger(rules, item(1, "add", sku="K"), item(2, "buy"))
    assert cart_text([bare, full], CARTS, START_MS + HOUR_MS) == (
        '{"amounts_minor":{"EUR":200},"items":[{"currency":"EUR","id":"K","name":"Kettle","price_minor":200,'
        f'"quantity":1}}],"since_ms":{START_MS + 1000},"status":"open","updated_ms":{START_MS + 1000}}}'
    )
    for ledgers in ([], [bare], [bare, emptied]):
        assert cart_text(ledgers, CARTS, START_MS + HOUR_MS) == "{}"
    assert cart_text([full], None, START_MS + HOUR_MS) == "{}"


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        ({"sku": "K", "quantity": 2.0}, (2, 0, "")),
        ({"sku": "K", "quantity": 2.5}, (1, 0, "")),
        ({"sku": "K", "quantity": -1}, (1, 0, "")),
        ({"sku": "K", "quantity": True, "price": 5}, (1, 0, "")),
        ({"sku": "K", "price": "4.99", "currency": "USD"}, (1, 499, "USD")),
        ({"sku": "K", "price": "dear", "currency": "USD"}, (1, 0, "USD")),
        ({"sku": "K", "price": -4, "currency": "USD"}, (1, 0, "USD")),
        ({"sku": "K", "price": 10**16, "currency": "USD"}, (1, 0, "USD")),
    ],
)
def test_pieces_and_prices_that_make_no_sense_are_not_taken(properties: dict[str, Any], kept: Any) -> None:
    (result,) = cart(item(1, "add", **properties)).items
    assert (result.quantity, result.price_minor, result.currency) == kept


def test_a_product_without_an_id_goes_by_its_name_and_without_either_is_none() -> None:
    assert cart(item(1, "add", name="Kettle\x1f2")).items[0][:2] == ("Kettle 2", "Kettle 2")
    assert cart(item(1, "add", price=3)) == EMPTY


def test_nothing_kept_is_neutral() -> None:
    log, journey = CartLog("x", ["y"]), Journey(["a"], [], [])
    assert merge_carts(None, log) is merge_carts(log, None) is log
    assert merge_journeys(None, journey) is merge_journeys(journey, None) is journey
    assert merge_carts(None, None) is merge_journeys(None, None) is None


PAGE = {"url": "https://www.shop.example/p"}
SIGNED = [
    ({"context": {"campaign": {"name": "spring", "source": "n", "medium": "email"}}}, ("spring", "n", "email", "", "")),
    ({"properties": {"campaign": "spring"}}, ("spring", "", "", "", "")),
    ({"context": {"campaign": "x"}, "properties": {"campaign": "spring"}}, ("spring", "", "", "", "")),
    ({"identifiers": ["user_id:a", "click_id:Cj0"]}, ("", "", "", "Cj0", "")),
    ({"context": {"page": PAGE | {"referrer": "https://www.Find.org/?q"}}}, ("", "find.org", "", "", "find.org")),
    ({"type": "page", "name": "", "properties": PAGE | {"referrer": "http://t.co/x"}}, ("", "t.co", "", "", "t.co")),
    ({"context": {"page": {"referrer": "https://blog.example"}}}, ("", "blog.example", "", "", "blog.example")),
    ({"channel": "ads"}, ("", "", "", "", "")),
]  # fmt: skip


@pytest.mark.parametrize(("more", "said"), SIGNED)
def test_a_touch_with_a_sign_of_marketing_is_kept_with_its_campaign(more: dict[str, Any], said: Any) -> None:
    kept = ledger(JourneyRules(attribution=RULES), touch(1, 0, **more), touch(2, 1, name="ask"))
    [converted] = attribution_of([kept], RULES)
    [credited] = converted.journey
    marketing_touch = credited.touch
    assert (
        marketing_touch.campaign,
        marketing_touch.source,
        marketing_touch.medium,
        marketing_touch.click_id,
        marketing_touch.referrer,
    ) == said
    assert (marketing_touch.event, marketing_touch.channel) == (
        more.get("name", "View") or "page",
        more.get("channel", "web"),
    )


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"context": {"campaign": {}}},
        {"context": {"campaign": {"name": 7}}},
        {"context": {"page": PAGE}},
        {"context": {"page": PAGE | {"referrer": "https://shop.example/"}}},
        {"context": {"page": {"referrer": "https://pay.shop.example/"}}},
        {"context": {"page": {"referrer": "/p"}}},
        {"context": {"page": {"referrer": 7}}},
        {"context": {"page": "x"}},
        {"type": "page", "context": {"page": PAGE}},
    ],
)
def test_a_touch_without_one_is_no_marketing(more: dict[str, Any]) -> None:
    assert ledger(JourneyRules(attribution=RULES), touch(1, 0, **more)).journey is None


def test_the_rules_choose_the_signs_and_a_further_filter() -> None:
    def kept(rules: AttributionRules, **more: Any) -> bool:
        return ledger(JourneyRules(attribution=rules), touch(1, 0, **more)).journey is not None

    clicks = AttributionRules(touches=("click_id",))
    assert not kept(clicks, channel="ads", context={"campaign": {"name": "x"}})
    assert kept(clicks, channel="ads", identifiers=["click_id:a"])
    campaigns = AttributionRules(touches=("campaign",))
    assert not kept(campaigns, identifiers=["click_id:a"], context={"page": {"referrer": "https://r.example"}})
    assert kept(campaigns, properties={"campaign": "x"})
    only_ads = AttributionRules(touches=("ads",))
    assert kept(only_ads, channel="ads")
    assert not kept(only_ads, context={"campaign": {"name": "x"}})
    email = AttributionRules(filter=Filter(channels=("email",)))
    assert not kept(email, channel="ads")
    assert kept(email, channel="email", properties={"campaign": "x"})
    assert not kept(AttributionRules(filter=Filter(channels=("ads",))), channel="email", properties={"campaign": "x"})


def test_hosts_are_compared_without_port_log_in_and_www() -> None:
    assert host_of("https://me:pw@WWW.Shop.example:8443?x") == "shop.example"
    assert host_of("shop.example/x") == host_of("") == ""


def journey(*ages_days: int, value_minor: int = 100, rules: AttributionRules = RULES) -> Converted:
    """A purchase, and an ad so many days before each."""
    ads = [touch(n, -age * DAY_MS, channel="ads", properties={"campaign": f"c{n}"}) for n, age in enumerate(ages_days)]
    bought = touch(99, 0, name="buy", amount_minor=value_minor, currency="EUR")
    [converted] = attribution_of([ledger(JourneyRules(attribution=rules), *ads, bought)], rules)
    return converted


def credits_of(converted: Converted, model: str) -> list[int]:
    return [credited.credit[model] for credited in converted.journey]


def test_each_model_shares_the_credit_by_its_definition() -> None:
    three = journey(14, 7, 0)
    assert credits_of(three, "first") == [1_000_000, 0, 0]
    assert credits_of(three, "last") == [0, 0, 1_000_000]
    assert credits_of(three, "linear") == [333_334, 333_333, 333_333]
    assert credits_of(three, "time_decay") == [142_857, 285_714, 571_429]
    assert credits_of(three, "position") == [400_000, 200_000, 400_000]
    assert [credited.value_minor["linear"] for credited in three.journey] == [34, 33, 33]
    assert credits_of(journey(3), "position") == [1_000_000]
    assert credits_of(journey(3, 2), "position") == [500_000, 500_000]
    uneven = AttributionRules(conversions=(ORDER,), first_percent=60, last_percent=20)
    assert credits_of(journey(3, 2, rules=uneven), "position") == [750_000, 250_000]
    middle = AttributionRules(conversions=(ORDER,), first_percent=0, last_percent=0)
    assert credits_of(journey(3, 2, rules=middle), "position") == [500_000, 500_000]
    assert credits_of(journey(4, 3, 2, rules=middle), "position") == [0, 1_000_000, 0]


def test_a_very_old_journey_does_not_fade_to_nothing() -> None:
    quick = AttributionRules(conversions=(ORDER,), half_life_ms=1000)
    assert credits_of(journey(80, 79, rules=quick), "time_decay") == [0, 1_000_000]


def test_a_touch_beyond_the_look_back_or_after_the_purchase_earns_nothing() -> None:
    assert [credited.touch.campaign for credited in journey(90, 89, -1).journey] == ["c1"]
    assert journey(91).journey == ()


def test_money_that_was_given_back_is_shared_too() -> None:
    refunded = journey(2, 1, value_minor=-101)
    assert [credited.value_minor["linear"] for credited in refunded.journey] == [-51, -50]
    assert distribute(0, [1, 2]) == [0, 0]


def test_a_conversion_without_an_amount_has_the_value_of_its_rule() -> None:
    kept = ledger(
        JourneyRules(attribution=RULES),
        touch(1, 0, name="ask"),
        touch(2, 1, name="ask", amount_minor=9, currency="USD"),
    )
    assert [(converted.value_minor, converted.currency) for converted in attribution_of([kept], RULES)] == [
        (5000, "EUR"),
        (9, "USD"),
    ]
    assert attribution_of([kept], None) == ()


@pytest.mark.parametrize(
    ("properties", "micros"),
    [
        ({"cost": 0.004}, 4_000),
        ({"cost": "1.5", "currency": "EUR"}, 1_500_000),
        ({"cost": 2}, 2_000_000),
        ({"cost_minor": 85, "cost": 99}, 850_000),
        ({"cost_minor": 85, "currency": "JPY"}, 85_000_000),
        ({"cost": -1}, 0),
        ({"cost": 10**5000}, 0),
        ({"cost": "free"}, 0),
        ({"cost": 1, "currency": "XXX"}, 0),
        ({}, 0),
    ],
)
def test_what_an_ad_cost_is_kept_in_millionths(properties: dict[str, Any], micros: int) -> None:
    kept = ledger(JourneyRules(attribution=RULES), touch(1, 0, channel="ads", properties=properties))
    assert sum(cost.micros for cost in costs_of([kept])) == micros


def test_costs_are_summed_by_campaign_and_currency_and_rounded_only_when_read() -> None:
    clicks = [
        touch(n, n, channel="ads", properties={"cost": 0.004, "campaign": "spring", "currency": ("EUR", "USD")[n % 2]})
        for n in range(6)
    ]
    eur, usd = costs_of([ledger(JourneyRules(attribution=RULES), *clicks)])
    assert (eur.campaign, eur.channel, eur.currency, eur.micros) == ("spring", "ads", "EUR", 12_000)
    assert usd.micros == 12_000
    assert [minor_of(micros, "EUR") for micros in (4_999, 5_000, 12_000)] == [0, 1, 1]
    assert minor_of(3_000_000, "JPY") == 3


def test_answers_of_surveys_become_traits_with_their_provenance() -> None:
    rules = JourneyRules(surveys=(SurveyRule(filter=Filter(events=("answered",))),))

    def answer(number: int, question: Any, output: Any) -> Touch:
        return item(number, "answered", question=question, answer=output)

    kept = ledger(
        rules, answer(2, " size ", "L"), answer(1, "size", "S"), answer(3, "likes", ["pots", 7]),
        answer(4, "odd", {"a": 1}), answer(5, "none", None), answer(6, 7, "x"), answer(7, "mixed", [{}]),
    )  # fmt: skip
    assert traits_of([kept]) == {
        "survey.size": (START_MS + 2000, "shop/000002", "web", "L"),
        "survey.likes": (START_MS + 3000, "shop/000003", "web", ["pots", 7]),
    }


def test_the_preference_centre_states_consent_and_the_newer_statement_counts() -> None:
    rules = JourneyRules(
        preferences=(
            PreferenceRule(filter=Filter(events=("chosen",))),
            PreferenceRule(filter=Filter(events=("set",)), field="properties.choices"),
        )
    )
    chosen = item(1, "chosen", marketing=True, news={"email": False, "sms": True}, page="/x")
    kept = ledger(rules, chosen, item(2, "set", choices={"ads": True}), item(3, "set", choices="all"))
    assert consent_of([kept]) == {"marketing": True, "news/email": False, "news/sms": True, "ads": True}
    other = ledger(rules, item(4, "chosen", marketing=False))
    assert consent_of([kept, other])["marketing"] is False


def test_a_journey_begins_with_the_anonymous_touch_that_a_merge_revealed_and_ends_with_the_split() -> None:
    journeys = JourneyRules(attribution=RULES, carts=CARTS)
    book = compile_rules(AggregateRules(), ScoreRules(), TriggerRules(), journeys=journeys)
    table: MemoryTable[ProfileRow] = MemoryTable()
    logic = ProfileLogic(book, table)
    anonymous, known = "anonymous_id:b", "user_id:a"
    clicked = touch(1, 0, anonymous, channel="ads", properties={"campaign": "spring", "cost": 0.5})
    came = touch(2, 1, anonymous, context={"campaign": {"name": "spring"}})
    wrote = touch(3, 2, known, channel="email", properties={"campaign": "news"})
    bought = touch(4, 3, known, name="buy", amount_minor=999, currency="EUR")
    logic.on_batch([("pb", clicked), ("pb", came), ("pa", wrote), ("pa", bought)], 0)

    def campaigns() -> list[str]:
        [converted] = attribution_of(table.rows["pa"].ledgers(), RULES)
        return [credited.touch.campaign for credited in converted.journey]

    assert campaigns() == ["news"]
    apart = attribution_of(table.rows["pa"].ledgers(), RULES)

    def move(seq: int, source: str, target: str) -> None:
        moved = Move("default", [anonymous], source, target, seq)
        logic.on_batch(logic.on_batch([(source, moved), (target, moved)], 0).forwards, 0)

    move(1, "pb", "pa")
    assert campaigns() == ["spring", "spring", "news"]
    together = ledger(journeys, wrote, bought, came, clicked)
    assert attribution_of(table.rows["pa"].ledgers(), RULES) == attribution_of([together], RULES)
    assert [cost.micros for cost in costs_of(table.rows["pa"].ledgers())] == [500_000]
    move(2, "pa", "pb")
    assert attribution_of(table.rows["pa"].ledgers(), RULES) == apart
