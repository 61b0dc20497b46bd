import copy
from functools import partial

import pytest

from pipeline.event.normalise import EventNormaliser
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected
from pipeline.event.rules import DEFAULT_TYPES, IntakeRules
from pipeline.rules.normalisers import normalisers
from pipeline.testing import build

event = partial(build.event, identifiers=("user_id:u1",), tenant="t", source="s", name="Viewed", timestamp_ms=0)


@pytest.fixture(scope="module")
def normalise():
    return EventNormaliser(IntakeRules(default_currency="EUR"), DEFAULT_TYPES, normalisers("DE")).normalise


def test_identifiers_become_canonical_unique_and_strongest_first(normalise):
    result = event(identifiers=["anonymous_id:a", "phone:030 1234567", "email:A@B.org", "email:a@b.ORG"])
    assert normalise(result) is None
    assert result.identifiers == ["email:a@b.org", "phone:+49301234567", "anonymous_id:a"]


def test_what_is_no_identifier_stays_in_the_context_with_the_reason(normalise):
    result = event(identifiers=["user_id:null", "email:nobody", "fax:1", "anonymous_id:a"])
    assert normalise(result) is None
    assert result.identifiers == ["anonymous_id:a"]
    rejected = {"user_id:null": "blocked", "email:nobody": "invalid", "fax:1": "undeclared"}
    assert result.context == {"not_identifiers": rejected}
    result.identifiers = ["anonymous_id:a", "fax:2"]
    normalise(result)
    assert result.context == {"not_identifiers": {**rejected, "fax:2": "undeclared"}}


def test_an_own_entry_of_that_name_gives_way(normalise):
    result = event(identifiers=["fax:1", "user_id:u"], context={"not_identifiers": "mine"})
    normalise(result)
    assert result.context == {"not_identifiers": {"fax:1": "undeclared"}}


def test_an_event_without_identifiers_is_refused(normalise):
    refused = normalise(event(identifiers=["user_id:guest"]))
    assert refused == Rejected(Reason.NO_IDENTIFIER, "identifiers: none of those sent is valid")


def test_the_pages_url_gives_campaign_and_click(normalise):
    result = event(
        context={"page": {"url": "https://Shop.example/?utm_source=mail&utm_campaign=x&gclid=G1", "title": "T"}}
    )
    normalise(result)
    assert result.identifiers == ["user_id:u1", "click_id:G1"]
    assert result.context == {
        "page": {"url": "https://shop.example/", "title": "T"},
        "campaign": {"source": "mail", "name": "x"},
    }


def test_a_page_calls_own_url_counts_too_and_a_track_calls_does_not(normalise):
    url = "https://shop.example/?utm_source=mail"
    page, track = event(type="page", properties={"url": url}), event(properties={"url": url})
    normalise(page)
    normalise(track)
    assert (page.properties, page.context) == ({"url": "https://shop.example/"}, {"campaign": {"source": "mail"}})
    assert (track.properties, track.context) == ({"url": url}, {})


def test_the_senders_campaign_goes_before_the_urls(normalise):
    url = "https://shop.example/?utm_source=mail&utm_medium=email"
    result = event(context={"page": {"url": url}, "campaign": {"source": "own"}})
    normalise(result)
    assert result.context["campaign"] == {"source": "own", "medium": "email"}
    result = event(context={"page": {"url": url}, "campaign": "own"})
    normalise(result)
    assert result.context["campaign"] == "own"


@pytest.mark.parametrize("page", [None, "home", {}, {"url": 5}, {"url": "https://shop.example/"}])
def test_a_page_without_news_is_left_alone(normalise, page):
    result = event(context={"page": copy.deepcopy(page)})
    assert normalise(result) is None
    assert result.context == {"page": page}


def test_two_visits_of_one_campaign_do_not_share_it(normalise):
    url = "https://shop.example/?utm_source=mail"
    first, second = event(context={"page": {"url": url}}), event(context={"page": {"url": url}})
    normalise(first)
    first.context["campaign"]["source"] = "changed"
    normalise(second)
    assert second.context["campaign"] == {"source": "mail"}


@pytest.mark.parametrize(
    ("properties", "amount"),
    [
        ({}, (0, "")),
        ({"sku": "x"}, (0, "")),
        ({"value": 1.5}, (150, "EUR")),
        ({"price": 1, "revenue": 19.99, "currency": "usd "}, (1999, "USD")),
        ({"revenue": "n/a", "total": "7.10", "currency": None}, (710, "EUR")),
        ({"total": 500, "currency": "JPY"}, (500, "JPY")),
        ({"amount": 1.2345, "currency": "KWD"}, (1234, "KWD")),
        ({"revenue_minor": 1999, "revenue": 5}, (1999, "EUR")),
        ({"revenue_minor": "1999", "revenue": 5}, (1999, "EUR")),
        ({"total": None, "currency": "gold"}, (0, "")),
        ({"label": "high", "value": "high", "currency": 5}, (0, "")),
    ],
)
def test_money_is_the_first_number_in_minor_units(normalise, properties, amount):
    result = event(properties=properties)
    assert normalise(result) is None
    assert (result.amount_minor, result.currency) == amount


@pytest.mark.parametrize("currency", ["gold", "XXX", 5])
def test_money_in_no_currency_is_refused(normalise, currency):
    refused = normalise(event(properties={"revenue": 5, "currency": currency}))
    assert refused == Rejected(Reason.INVALID_FIELD, "properties.currency: must be an ISO 4217 code such as EUR")


@pytest.mark.parametrize("properties", [{"revenue": 1e300}, {"revenue": -(10**15)}, {"revenue_minor": 10**16}])
def test_money_without_bounds_is_refused(normalise, properties):
    refused = normalise(event(properties=properties))
    assert refused == Rejected(Reason.INVALID_FIELD, "properties: the amount is beyond 1000000000000000 minor units")


@pytest.mark.parametrize(
    ("properties", "amount"),
    [
        ({"revenue": "$1,299.00"}, (129_900, "USD")),
        ({"revenue": "$5", "currency": "cad"}, (500, "CAD")),
        ({"revenue": "1.299,00 €", "currency": ""}, (129_900, "EUR")),
        ({"revenue": "(5.00)"}, (-500, "EUR")),
    ],
)
def test_a_mark_in_the_amount_decides_the_currency(normalise, properties, amount):
    result = event(properties=properties)
    assert normalise(result) is None
    assert (result.amount_minor, result.currency) == amount


@pytest.mark.parametrize(
    "properties", [{"revenue": "1,299 €"}, {"revenue": "$5", "currency": "EUR"}, {"revenue": "-$5-"}]
)
def test_an_amount_that_is_ambiguous_or_contradicts_its_currency_is_refused(normalise, properties):
    refused = normalise(event(properties=properties))
    assert refused == Rejected(
        Reason.INVALID_FIELD,
        "properties.revenue: cannot be read as one amount: write a number such as 1299.00, and one currency",
    )


def test_a_currency_that_is_no_text_is_refused_beside_a_mark(normalise):
    refused = normalise(event(properties={"revenue": "$5", "currency": 840}))
    assert refused == Rejected(Reason.INVALID_FIELD, "properties.currency: must be an ISO 4217 code such as EUR")


def test_an_identify_call_takes_the_traits_of_its_context_which_its_own_traits_override(normalise):
    context = {"traits": {"plan": "free", "city": "Bonn"}}
    identify = event(type="identify", name="", context=context, traits={"plan": "pro"})
    track = event(context=context)
    normalise(identify)
    normalise(track)
    assert (identify.traits, track.traits) == ({"plan": "pro", "city": "Bonn"}, {})


def test_a_call_of_any_type_sets_traits_once(normalise):
    result = event(
        properties={"$set_once": {"source": "ad", "plan": "free"}},
        traits={"$set_once": {"plan": "pro"}, "city": "Bonn"},
    )
    normalise(result)
    assert result.traits == {"city": "Bonn", "$set_once": {"source": "ad", "plan": "pro"}}
    result = event(properties={"$set_once": {"source": "ad"}}, traits={"$set_once": "yes"})
    normalise(result)
    assert result.traits == {"$set_once": {"source": "ad"}}
