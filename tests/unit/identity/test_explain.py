"""Explanations: the path of links, the limit between two identifiers, the effect of other rules, and households."""

import pytest

from pipeline.identity.compare import compare
from pipeline.identity.decisions import Decisions, decide
from pipeline.identity.explain import around, why
from pipeline.identity.household import households
from pipeline.identity.limits import parse_limit
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution, resolve
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.sighting import first_sighting, widen
from pipeline.testing.build import link


def book(*limits: str) -> IdentityPolicy:
    return IdentityPolicy(
        IdentityRules(
            types=[
                IdentityType(name="user", priority=1, strong=True, limits=list(limits)),
                IdentityType(name="mail", priority=2, strong=True),
                IdentityType(name="dev", priority=3),
                IdentityType(name="home", priority=9, household=True),
            ]
        )
    )


def seen(a: str, b: str, at_ms: int) -> Link:
    return link(a, b, at_ms, tenant="t", event_id=f"web/{at_ms}")


LINKS = [
    seen("user:1", "dev:1", 1),
    seen("user:1", "mail:1", 2),
    seen("mail:1", "dev:2", 3),
    seen("user:2", "dev:2", 4),
    seen("user:3", "dev:9", 5),
]


def resolved(*limits: str, links: list[Link] = LINKS, decisions: Decisions | None = None) -> Resolution:
    return resolve(links, book(*limits), decisions)


def test_why_prints_the_path_of_links_with_where_each_comes_from():
    answer = why("dev:1", "user:2", resolved())
    assert answer.same_customer
    assert [(step.start, step.end) for step in answer.path] == [
        ("dev:1", "user:1"), ("user:1", "mail:1"), ("mail:1", "dev:2"), ("dev:2", "user:2"),
    ]  # fmt: skip
    assert [step.merged_link.edge.event_id for step in answer.path] == ["web/1", "web/2", "web/3", "web/4"]
    assert answer.obstacles == []


def test_why_names_the_limit_that_keeps_two_apart():
    answer = why("dev:1", "user:2", resolved("1 ever"))
    assert not answer.same_customer
    assert [
        (rejected.merged_link.strong, rejected.merged_link.weak, rejected.rule) for rejected in answer.obstacles
    ] == [("mail:1", "dev:2", "user: 1 ever")]


def test_why_takes_the_shortest_of_several_ways():
    ring = [
        seen("user:1", "dev:1", 1),
        seen("user:1", "dev:2", 1),
        seen("mail:1", "dev:1", 1),
        seen("mail:1", "dev:2", 1),
    ]
    answer = why("user:1", "home:1", resolved(links=[*ring, seen("mail:1", "home:1", 2), seen("dev:1", "home:1", 3)]))
    assert [step.end for step in answer.path] == ["dev:1", "home:1"]
    assert [str(rejected.reason) for rejected in answer.obstacles] == ["household"]


def test_why_of_the_unrelated_the_same_and_the_unknown():
    assert why("user:1", "user:3", resolved()).path == []
    assert why("user:1", "user:1", resolved()).same_customer
    assert not why("user:1", "user:77", resolved()).same_customer
    assert not why("user:77", "user:1", resolved()).same_customer


def test_why_prefers_a_way_without_obstacles_over_a_short_one():
    command = Command("t", "unlink", "user:1", "dev:2", "ann", "", 0)
    decisions = decide([command], book())
    answer = why("user:1", "dev:2", resolved(links=[*LINKS, seen("user:1", "dev:2", 9)], decisions=decisions))
    assert [step.end for step in answer.path] == ["mail:1", "dev:2"]


def test_around_returns_a_customer_with_its_rejected_links():
    members, merged_links, rejected = around("mail:1", resolved("1 ever"))
    assert members == ["dev:1", "mail:1", "user:1"]
    assert {(merged_link.strong, merged_link.weak) for merged_link in merged_links} == {
        ("user:1", "dev:1"),
        ("user:1", "mail:1"),
    }
    assert [(rejected_link.merged_link.strong, rejected_link.merged_link.weak) for rejected_link in rejected] == [
        ("mail:1", "dev:2")
    ]
    assert around("user:77", resolved()) == (["user:77"], [], [])


def test_new_rules_are_shown_as_merges_and_splits_before_anything_changes():
    difference = compare(resolved(), resolved("1 ever"))
    assert difference.split == {"dev:1": ["dev:1", "user:2"]}
    assert (difference.merged, difference.affected) == ({}, ["dev:1"])
    back = compare(resolved("1 ever"), resolved())
    assert back.merged == {"dev:1": ["dev:1", "user:2"]}
    assert (back.split, back.affected) == ({}, ["dev:1", "user:2"])


def test_a_household_lists_the_profiles_that_share_an_account_and_keeps_its_id():
    links = [*LINKS, seen("user:1", "home:1", 6), seen("user:3", "home:1", 7), seen("dev:1", "home:1", 8)]
    (household,) = households("t", resolved("1 ever", links=[*links, seen("home:1", "home:2", 9)]))
    assert household.shared == "home:1"
    assert household.profile_ids == sorted([profile_id("t", "dev:1"), profile_id("t", "dev:9")])
    assert household.household_id == profile_id("t", "home:1")


def test_a_household_type_stronger_than_a_person_still_groups_and_never_merges():
    rules = IdentityRules(
        types=[IdentityType(name="acct", priority=1, household=True), IdentityType(name="user", priority=2)]
    )
    resolution = resolve([seen("acct:1", "user:1", 1), seen("acct:1", "user:2", 2)], IdentityPolicy(rules))
    (household,) = households("t", resolution)
    assert (household.shared, len(household.profile_ids)) == ("acct:1", 2)


def test_groups_list_every_identifier_by_its_founder():
    assert resolved("1 ever").groups() == {
        "dev:1": ["dev:1", "mail:1", "user:1"], "user:2": ["dev:2", "user:2"], "dev:9": ["dev:9", "user:3"],
    }  # fmt: skip


def test_links_of_an_identifier_with_itself_have_no_effect():
    assert resolved(links=[seen("dev:1", "dev:1", 1)]).founder_of == {}


def test_later_commands_overrule_earlier_ones_about_the_same_identifiers():
    def said(*kinds: str) -> Decisions:
        return decide([Command("t", kind, "user:1", "dev:1", "ann", "", 5) for kind in kinds], book())

    assert said("unlink", "link").ended_ms == {}
    assert list(said("link", "unlink").ended_ms) == [("user:1", "dev:1")]
    assert said("unlink", "logout").ended_ms == said("unlink").ended_ms
    assert said("suppress", "release").suppressed == set()
    assert said("release", "suppress").trusted == set()
    assert said("release").trusted == {"user:1"}


def test_a_sighting_that_names_no_event_keeps_the_event_known_before():
    edge = first_sighting("user:1", seen("user:1", "dev:1", 5))
    assert widen(edge, Link("t", "user:1", "dev:1", 5, 9, 3, "", ""))
    assert (edge.last_seen_ms, edge.count, edge.event_id, edge.source) == (9, 3, "web/5", "web")


@pytest.mark.parametrize(
    ("text", "count", "period_ms"),
    [
        ("1 ever", 1, 0),
        ("5 per 7 d", 5, 604_800_000),
        ("2 per 1 h 30 min", 2, 5_400_000),
        ("3 PER 2 weeks", 3, 1_209_600_000),
    ],
)
def test_limits_are_read_as_people_write_them(text, count, period_ms):
    limit = parse_limit(text)
    assert (limit.count, limit.period_ms) == (count, period_ms)


@pytest.mark.parametrize("text", ["", "ever", "0 ever", "5 per week", "1 per 2 months"])
def test_what_is_not_a_limit_is_refused_with_what_to_write_instead(text):
    with pytest.raises(ValueError, match="write"):
        IdentityType(name="user", priority=1, limits=[text])
