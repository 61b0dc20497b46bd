"""Customers and their profiles, by ``simulate``'s stages and by ``identity resolve``."""

from typing import Any

import msgspec
import pytest

from pipeline.avro.wire import Decoder
from pipeline.identity.profile_id import profile_id
from pipeline.rules.load import load_rules
from pipeline.topics import ACTIONS
from pipeline.trigger.rules import TriggerRule, TriggerRules
from tests.support.customers import customers, resolved
from tests.support.simulated import TENANT, Story, decision

START_MS, MINUTE_MS = 1_772_366_400_000, 60_000
ACTION = Decoder(ACTIONS.value)
Events = list[dict[str, Any]]


def event(at: int, kind: str = "page", **more: Any) -> dict[str, Any]:
    return {
        "type": kind, "channel": "web", "messageId": f"m{at}", "timestamp": START_MS + at * MINUTE_MS, **more,
    }  # fmt: skip


def hot(at: int, **who: Any) -> Events:
    """Enough to become a lead under ``QUICK``."""
    return [event(at + n, "track", event="checkout_started", **who) for n in range(2)]


QUICK = msgspec.structs.replace(
    load_rules(), triggers=TriggerRules(triggers=(TriggerRule(name="hot_lead", high=15, low=5),))
)


def leads(story: Story) -> list[dict[str, Any]]:
    return [ACTION(record.value()) for record in story.simulation.take(ACTIONS)]


def profiles(story: Story) -> dict[str, dict[str, Any]]:
    """The exported profile by each of its identifiers."""
    result = [msgspec.json.decode(line) for line in story.exported().splitlines()]
    return {ident: profile for profile in result for ident in profile["identifiers"]}


def pid(founder: str) -> str:
    return profile_id(TENANT, founder)


BROWSER = {"anonymousId": "a1"}
ANN, BOB = {**BROWSER, "userId": "ann"}, {**BROWSER, "userId": "bob"}
CLICK = event(0, context={"page": {"url": "https://shop.example/?gclid=c1"}}, **BROWSER)


def test_the_anonymous_profile_keeps_its_id_at_the_first_log_in():
    result = profiles(Story().one_by_one([event(0, **BROWSER), event(1, "identify", **ANN)]))
    assert result["user_id:ann"]["profile_id"] == pid("anonymous_id:a1")


def test_the_profile_id_of_a_person_stays_when_another_takes_the_browser():
    story = Story().one_by_one([CLICK, event(1, "identify", **ANN)])
    (before,) = {profile["profile_id"] for profile in profiles(story).values()}
    result = profiles(story.tell(event(2, "identify", **BOB)))
    assert result["user_id:ann"]["profile_id"] == before != result["user_id:bob"]["profile_id"]


def test_two_people_of_one_browser_are_one_lead_each_if_fed_one_by_one():
    events = [CLICK, event(1, "identify", **ANN), *hot(2, **ANN), event(9, "identify", **BOB), *hot(10, **BOB)]
    events += hot(20, userId="ann")
    shown = leads(Story(QUICK).one_by_one(events))
    assert [(item["kind"], item["duplicate_of"]) for item in shown] == [("lead", "")] * 2
    assert [{"user_id:ann", "user_id:bob"} & set(item["identifiers"]) for item in shown] == [
        {"user_id:ann"}, {"user_id:bob"},
    ]  # fmt: skip


@pytest.mark.parametrize("who", [ANN, BROWSER], ids=["of the person", "of the browser alone"])
def test_a_log_out_after_a_lead_gives_no_second_lead(who):
    story = Story(QUICK).one_by_one([event(0, **BROWSER), event(1, "identify", **ANN), *hot(2, **ANN)])
    before = profiles(story)["user_id:ann"]["profile_id"]
    story.one_by_one([event(10, "track", event="Signed Out", **who), event(11, **BROWSER), *hot(12, userId="ann")])
    assert len(leads(story)) == 1
    result = profiles(story)
    assert result["user_id:ann"]["profile_id"] == before
    assert result["anonymous_id:a1"]["identifiers"].keys() == {"anonymous_id:a1"}


DAN, PHONE = {"email": "dan@shop.example"}, "+491701234567"
SIGN_UP = event(1, "identify", userId="dan", traits={**DAN, "phone": "+49 170 1234567"})


def test_what_was_unlinked_goes_from_identifiers_and_contact():
    story = Story(QUICK).one_by_one([SIGN_UP, event(2, userId="dan")])
    story.tell(decision("unlink", "user_id:dan", f"phone:{PHONE}", START_MS))
    dan = profiles(story)["user_id:dan"]
    assert dan["identifiers"].keys() == {"user_id:dan", "email:dan@shop.example"}
    story.tell(*hot(3, userId="dan"))
    (lead,) = leads(story)
    assert lead["contact"] == {"email": "dan@shop.example"}
    assert f"phone:{PHONE}" not in lead["identifiers"]


@pytest.mark.parametrize("kind", ["suppress", "release"])
def test_a_suppressed_identifier_has_no_customer_until_it_is_released(kind):
    story = Story().one_by_one([SIGN_UP, event(2, userId="dan")])
    story.tell(decision("suppress", f"phone:{PHONE}", at_ms=START_MS))
    if kind == "release":
        story.tell(decision("release", f"phone:{PHONE}", at_ms=START_MS))
    dan = profiles(story)["user_id:dan"]
    assert (f"phone:{PHONE}" in dan["identifiers"]) is (kind == "release")


def test_a_telephone_that_comes_back_is_listed_again():
    story = Story().one_by_one([SIGN_UP])
    pair = ("user_id:dan", f"phone:{PHONE}")
    for _ in range(2):
        story.tell(decision("unlink", *pair, START_MS))
        assert pair[1] not in profiles(story)["user_id:dan"]["identifiers"]
        story.tell(decision("link", *pair, START_MS))
        assert pair[1] in profiles(story)["user_id:dan"]["identifiers"]


@pytest.mark.parametrize("parameter", ["gclid", "fbclid"])
@pytest.mark.parametrize("visitors", [2, 8])
def test_visitors_of_one_shared_link_are_customers_of_their_own(parameter, visitors, tmp_path):
    page = msgspec.json.encode({"page": {"url": f"https://shop.example/?{parameter}=shared-1"}})
    events = [event(n, context=msgspec.json.decode(page), anonymousId=f"a{n}") for n in range(visitors)]
    events += [
        event(20 + n, "identify", anonymousId=f"a{n}", traits={"email": f"p{n}@shop.example"}) for n in range(visitors)
    ]
    wanted = sorted([f"anonymous_id:a{n}", f"email:p{n}@shop.example"] for n in range(visitors))
    wanted[0].insert(1, "click_id:shared-1")
    assert resolved(tmp_path, events) == customers(Story().tell(*events)) == [sorted(item) for item in wanted]


def test_an_alias_is_no_way_round_the_limit_of_one_log_in(tmp_path):
    events = [
        event(0, **BROWSER),
        event(1, "alias", userId="ann", previousId="a1"),
        event(2, "alias", userId="bob", previousId="a1"),
    ]
    assert resolved(tmp_path, events) == [["anonymous_id:a1", "user_id:bob"], ["user_id:ann"]]
    assert customers(Story().tell(*events)) == [["anonymous_id:a1", "user_id:bob"], ["user_id:ann"]]


def test_an_alias_of_an_id_with_itself_has_no_effect(tmp_path):
    events = [event(0, "identify", userId="u"), event(1, "alias", userId="u", previousId="u")]
    assert resolved(tmp_path, events) == [["user_id:u"]]


@pytest.mark.parametrize("value", ["NaN", '"null"', "'null'", "nan"])
def test_placeholders_of_programs_are_blocked_in_every_type(value, tmp_path):
    kinds = ("user_id", "crm_contact_id", "loyalty_id", "email", "phone", "device_id", "anonymous_id", "click_id")
    events = [event(n, identifiers={kind: value}, userId=f"u{n}") for n, kind in enumerate(kinds)]
    assert resolved(tmp_path, events) == [[f"user_id:u{n}"] for n in range(len(kinds))]


@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\u00a0", "\u00ad"])
def test_invisible_characters_make_no_other_person(hidden, tmp_path):
    plain = {"email": "ann@shop.example", "phone": PHONE, "user_id": "ann"}
    events = [event(0, "identify", identifiers=plain)]
    for at, (kind, value) in enumerate(plain.items()):
        written = (hidden + value, value + hidden, value[:2] + hidden + value[2:])
        events += [event(10 * at + n + 1, identifiers={kind: item}) for n, item in enumerate(written)]
    assert resolved(tmp_path, events) == [["email:ann@shop.example", f"phone:{PHONE}", "user_id:ann"]]
