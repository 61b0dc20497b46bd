"""The identity evidence of events: links, first sightings and log-outs."""

from pipeline.identity.evidence import FirstSightings, links_of, logouts_of
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.testing.build import event

POLICY = IdentityPolicy(
    IdentityRules(
        types=[
            IdentityType(name="user_id", priority=1, strong=True),
            IdentityType(name="device_id", priority=2),
            IdentityType(name="anonymous_id", priority=3),
        ],
        logout_events=["logged_out"],
    )
)
ANN, PHONE, COOKIE = "user_id:ann", "device_id:phone", "anonymous_id:cookie"


def test_the_anchor_is_linked_with_each_other_identifier() -> None:
    links = links_of(event([ANN, PHONE, COOKIE], timestamp_ms=7))
    assert [(link.anchor, link.other, link.first_seen_ms, link.last_seen_ms) for link in links] == [
        (ANN, PHONE, 7, 7), (ANN, COOKIE, 7, 7),
    ]  # fmt: skip
    assert links_of(event([ANN])) == []


def test_links_carry_the_first_sighting_of_their_anchor_whatever_the_order_of_events() -> None:
    sightings, seen = FirstSightings(), [event([ANN, PHONE], timestamp_ms=at_ms) for at_ms in (30, 10, 20)]
    for item in seen:
        sightings.note(item)
    links = sightings.with_first_sightings(link for item in seen for link in links_of(item))
    assert [(link.first_seen_ms, link.anchor_first_ms) for link in links] == [(30, 10), (10, 10), (20, 10)]


def test_a_logout_of_a_person_ends_each_link_with_a_device() -> None:
    commands = logouts_of(event([ANN, PHONE, COOKIE], name="Logged Out"), POLICY)
    assert [(command.kind, command.a, command.b) for command in commands] == [
        ("logout", ANN, PHONE), ("logout", ANN, COOKIE),
    ]  # fmt: skip


def test_a_logout_without_a_person_ends_the_links_of_each_device() -> None:
    commands = logouts_of(event([PHONE, COOKIE], name="logged_out"), POLICY)
    assert [(command.a, command.b) for command in commands] == [(PHONE, ""), (COOKIE, "")]


def test_other_events_are_not_logouts() -> None:
    assert logouts_of(event([ANN, PHONE], name="product_viewed"), POLICY) == []
    assert logouts_of(event([ANN, PHONE], name="logged_out", type="page"), POLICY) == []
