"""Scenarios of the presets: the owner of a shared device and of its anonymous history."""

import pytest

from pipeline.event.model import Event
from pipeline.identity.evidence import links_of, logouts_of
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.presets import implied, spelled_out
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import resolve
from pipeline.identity.rules import IdentityRules, IdentityType, Preset
from pipeline.identity.state import StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.testing.build import event, link
from pipeline.testing.table import MemoryTable


def rules(preset: Preset, **extra: object) -> IdentityRules:
    return IdentityRules(
        preset=preset,
        types=[
            IdentityType(name="user_id", priority=10, strong=True),
            IdentityType(name="email", priority=40, strong=True),
            IdentityType(name="device_id", priority=60),
            IdentityType(name="anonymous_id", priority=70),
        ],
        **extra,
    )


def engine(preset: Preset) -> Stitcher:
    return Stitcher("t", rules(preset), StitchTables(MemoryTable(), MemoryTable()))


def seen(a: str, b: str, at_ms: int) -> Link:
    return link(a, b, at_ms, tenant="t", event_id=f"web/{at_ms}")


def owner(stitcher: Stitcher, *idents: str) -> list[bool]:
    return [stitcher.profile_of(idents[0]) == stitcher.profile_of(ident) for ident in idents[1:]]


SHARED = [
    seen("device_id:d", "anonymous_id:a", 1),
    seen("user_id:ann", "device_id:d", 10),
    seen("user_id:bob", "device_id:d", 20),
]


def test_the_last_authenticated_owns_the_device_and_its_anonymous_history():
    stitcher = engine("last-authenticated-owns-device")
    stitcher.on_links(SHARED, 0)
    assert owner(stitcher, "user_id:bob", "device_id:d", "anonymous_id:a", "user_id:ann") == [True, True, False]
    stitcher.on_links([seen("user_id:ann", "device_id:d", 30)], 0)
    assert owner(stitcher, "user_id:ann", "device_id:d", "anonymous_id:a", "user_id:bob") == [True, True, False]


def test_a_late_event_of_the_earlier_customer_does_not_take_the_device_back():
    stitcher = engine("last-authenticated-owns-device")
    stitcher.on_links([*SHARED, seen("user_id:ann", "device_id:d", 15)], 0)
    assert owner(stitcher, "user_id:bob", "device_id:d") == [True]


def test_the_assignments_of_both_customers_list_the_contested_device():
    stitcher = engine("last-authenticated-owns-device")
    effects = stitcher.on_links(SHARED, 0)
    shown = {ident: row.contested for ident, row in effects.assignments.items()}
    assert shown["user_id:ann"] == shown["user_id:bob"] == ["device_id:d"]


def test_the_first_keeps_the_device_and_the_newcomer_has_a_profile_of_their_own():
    stitcher = engine("first-keeps")
    stitcher.on_links([*SHARED, seen("user_id:bob", "device_id:d", 40)], 0)
    assert owner(stitcher, "user_id:ann", "device_id:d", "anonymous_id:a", "user_id:bob") == [True, True, False]


def test_an_ambiguous_identifier_never_merges_two_identified_customers_and_stands_alone():
    stitcher = engine("never-merge-identified")
    stitcher.on_links([*SHARED, seen("user_id:bob", "anonymous_id:b", 21)], 0)
    assert owner(stitcher, "device_id:d", "user_id:ann", "user_id:bob") == [False, False]
    assert owner(stitcher, "user_id:bob", "anonymous_id:b") == [True]


def test_a_log_out_gives_the_device_a_profile_of_its_own_until_the_next_log_in():
    stitcher = engine("logout-resets")
    stitcher.on_links([seen("user_id:ann", "device_id:d", 10)], 0)
    event = told_as(["user_id:ann", "email:a@x.org", "device_id:d"], 20, name="Logged Out")
    commands = logouts_of(event, IdentityPolicy(rules("logout-resets")))
    assert [(command.kind, command.a, command.b) for command in commands] == [("logout", "user_id:ann", "device_id:d")]
    effects = stitcher.on_links([*links_of(event), *commands], 0)
    assert owner(stitcher, "user_id:ann", "device_id:d", "email:a@x.org") == [False, True]
    assert ("user_id:ann", ["device_id:d"]) in [(ident, row.contested) for ident, row in effects.assignments.items()]
    stitcher.on_links([seen("user_id:ann", "device_id:d", 30)], 0)
    assert owner(stitcher, "user_id:ann", "device_id:d") == [True]


def test_after_a_log_out_the_next_customer_takes_the_device_though_the_first_kept_it():
    stitcher = engine("first-keeps")
    stitcher.on_links(SHARED, 0)
    stitcher.on_links([Command("t", "logout", "user_id:ann", "device_id:d", "web", "", 25)], 0)
    assert owner(stitcher, "device_id:d", "user_id:ann", "user_id:bob") == [False, False]
    stitcher.on_links([seen("user_id:bob", "device_id:d", 30)], 0)
    assert owner(stitcher, "user_id:bob", "device_id:d") == [True]


@pytest.mark.parametrize("preset", ["logout-resets", "last-authenticated-owns-device", "never-merge-identified"])
def test_a_log_out_returns_to_a_new_anonymous_profile_not_to_an_earlier_customer(preset: Preset):
    stitcher = engine(preset)
    out = Command("t", "logout", "user_id:bob", "device_id:d", "web", "", 25)
    late = seen("user_id:cid", "device_id:d", 15)
    stitcher.on_links([*SHARED, out, late], 0)
    assert stitcher.profile_of("device_id:d") == profile_id("t", "~device_id:d")
    people = ("user_id:ann", "user_id:bob", "user_id:cid")
    assert owner(stitcher, "device_id:d", "anonymous_id:a", *people) == [True, False, False, False]
    stitcher.on_links([seen("user_id:ann", "device_id:d", 26)], 0)
    assert owner(stitcher, "user_id:ann", "device_id:d") == [True]


def told_as(identifiers: list[str], at_ms: int, name: str = "", kind: str = "track") -> Event:
    return event(identifiers, tenant="t", source="web", message_id=str(at_ms), type=kind, name=name, timestamp_ms=at_ms)


def test_only_track_events_with_a_listed_name_are_log_outs():
    policy = IdentityPolicy(rules("logout-resets"))
    assert logouts_of(told_as(["user_id:1", "device_id:d"], 1, "Order Completed"), policy) == []
    assert logouts_of(told_as(["user_id:1", "device_id:d"], 1, "Logged Out", "page"), policy) == []
    assert logouts_of(told_as(["user_id:1", "device_id:d"], 1, "Logged Out"), IdentityPolicy(rules("none"))) == []


def test_an_alias_asserts_its_links_and_merges_two_identified_customers():
    policy = IdentityPolicy(rules("last-authenticated-owns-device"))
    plain, alias = (links_of(told_as(["user_id:1", "user_id:2"], 1, kind=kind)) for kind in ("identify", "alias"))
    assert len(resolve(plain, policy).groups()) == 2
    assert len(resolve(alias, policy).groups()) == 1


@pytest.mark.parametrize(
    ("preset", "policy", "single"),
    [
        ("none", "latest", []),
        ("last-authenticated-owns-device", "latest", ["1 ever"]),
        ("first-keeps", "first", ["1 ever"]),
        ("never-merge-identified", "isolate", ["1 ever"]),
        ("logout-resets", "latest", ["1 ever"]),
    ],
)
def test_a_preset_is_policies_and_one_identifier_of_the_strongest_type(preset, policy, single):
    spelled = spelled_out(rules(preset))
    assert {kind.policy for kind in spelled.types} == {policy}
    assert [kind.limits for kind in spelled.types] == [single, [], [], []]
    assert bool(spelled.logout_events) == (preset == "logout-resets")


def test_settings_of_a_type_override_the_preset():
    own = IdentityType(name="user_id", priority=1, limits=["2 ever"], policy="first")
    spelled = spelled_out(IdentityRules(preset="logout-resets", types=[own], logout_events=["Bye"]))
    assert (spelled.types, spelled.logout_events) == ([own], ["Bye"])


def test_the_additions_of_a_preset_are_listed() -> None:
    lines = implied(rules("logout-resets"))
    assert lines[0].startswith("preset logout-resets: ")
    assert any(line.startswith("implied policy latest: ") and "device_id" in line for line in lines)
    assert any(line.startswith("implied limits") and line.endswith("of user_id") for line in lines)
    assert any(line.startswith("implied log-out events: ") for line in lines)
    declared = implied(rules("logout-resets", logout_events=["bye"]))
    assert "declared log-out events: bye" in declared
