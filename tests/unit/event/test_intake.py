from functools import partial

import msgspec
import pytest

from pipeline.event.anchor import ROW_VERSION, AnchorRow
from pipeline.event.intake import Intake, IntakeEffects, digest_of
from pipeline.event.reason import Reason
from pipeline.event.result import Drop, Redirect, Rejected
from pipeline.event.rules import DEFAULT_TYPES, IntakeRules
from pipeline.identity.messages import Assignment
from pipeline.rules.normalisers import normalisers
from pipeline.testing import build
from pipeline.testing.table import MemorySeenIds, MemoryTable

NOW_MS = 1_772_366_400_000
KEY = "t/user_id:u1"


SEEN = ("anonymous_id:a1", "user_id:u1")
event = partial(build.event, identifiers=SEEN, tenant="t", source="s", name="Viewed", timestamp_ms=NOW_MS)


class Partition:
    """One partition's INTAKE with its state in view."""

    def __init__(self, rules=None, is_right=True):
        self.anchors = MemoryTable()
        self.seen = MemorySeenIds()
        self.asked = []
        self.is_right = is_right
        self.intake = Intake(
            rules or IntakeRules(),
            DEFAULT_TYPES,
            normalisers("US"),
            self.anchors,
            self.seen,
            partition_is_right=self._is_right,
        )

    def _is_right(self, key):
        self.asked.append(key)
        return self.is_right

    def take(self, taken, key=KEY, **facts):
        return self.intake.on_event(taken, key=key, now_ms=NOW_MS, **facts)


@pytest.fixture
def partition():
    return Partition()


def test_an_accepted_event_comes_out_normalised_with_its_new_links(partition):
    taken = event()
    result = partition.take(taken)
    assert isinstance(result, IntakeEffects)
    assert result.event is taken
    assert taken.identifiers == ["user_id:u1", "anonymous_id:a1"]
    assert result.profile_id is None
    assert [(link.anchor, link.other) for link in result.links] == [("user_id:u1", "anonymous_id:a1")]


def test_a_known_link_is_not_passed_again(partition):
    partition.take(event())
    assert partition.take(event(message_id="m2")).links == []


def test_the_same_message_id_of_the_same_source_and_tenant_is_dropped(partition):
    partition.take(event())
    assert partition.take(event(name="Sent again")) == Drop(Reason.DUPLICATE)
    assert isinstance(partition.take(event(source="other")), IntakeEffects)
    assert isinstance(partition.take(event(tenant="u"), key="u/user_id:u1"), IntakeEffects)


def test_an_invalid_event_is_quarantined_each_time(partition):
    for _ in range(2):
        refused = partition.take(event(), size_bytes=10**9)
        assert isinstance(refused, Rejected)
        assert refused.reason is Reason.TOO_LARGE
    assert partition.seen.digests == set()


def test_an_event_without_identifiers_is_quarantined_and_changes_no_state(partition):
    assert partition.take(event(identifiers=["user_id:null"])).reason is Reason.NO_IDENTIFIER
    assert (partition.anchors.rows, partition.seen.digests) == ({}, set())


@pytest.mark.parametrize("key", ["", "t/anonymous_id:a1", "other/user_id:u1"])
def test_an_event_under_another_key_goes_to_its_anchors_key_once(partition, key):
    assert partition.take(event(), key=key) == Redirect(Reason.REKEYED, KEY)
    refused = partition.take(event(), key=key, rekeyed=True)
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.MISROUTED
    assert "u1" not in refused.detail
    assert (partition.anchors.rows, partition.seen.digests) == ({}, set())


def test_an_event_on_another_partition_is_sent_under_its_own_key_once():
    partition = Partition(is_right=False)
    assert partition.take(event()) == Redirect(Reason.REKEYED, KEY)
    assert partition.take(event(), rekeyed=True).reason is Reason.MISROUTED


def test_the_partition_of_an_anchor_is_computed_only_at_its_first_event(partition):
    for number in range(3):
        partition.take(event(message_id=f"m{number}", identifiers=["user_id:u1"]))
    assert partition.asked == [KEY]


def test_an_event_goes_to_the_profile_its_anchor_was_assigned_to(partition):
    partition.intake.on_assignment("t", "user_id:u1", Assignment("profile-1", 7))
    assert partition.take(event()).profile_id == "profile-1"


def test_the_assignment_with_the_highest_seq_wins(partition):
    for profile_id, seq in (("first", 0), ("third", 2), ("second", 1), ("third again", 2)):
        partition.intake.on_assignment("t", "user_id:u1", Assignment(profile_id, seq))
    assert partition.take(event()).profile_id == "third"


def test_links_seen_before_they_became_contested_are_passed_at_once(partition):
    partition.take(event())
    partition.take(event(message_id="m2", timestamp_ms=NOW_MS + 1))
    assigned = Assignment("p", 1, ["anonymous_id:a1"])
    (link,) = partition.intake.on_assignment("t", "user_id:u1", assigned)
    assert (link.other, link.first_seen_ms, link.last_seen_ms, link.count) == (
        "anonymous_id:a1", NOW_MS, NOW_MS + 1, 2,
    )  # fmt: skip
    later = partition.take(event(message_id="m3", timestamp_ms=NOW_MS + 2))
    assert [link.last_seen_ms for link in later.links] == [NOW_MS + 2]


def test_the_row_does_not_share_the_assignments_list(partition):
    assigned = Assignment("p", 1, ["anonymous_id:a1"])
    partition.intake.on_assignment("t", "user_id:u1", assigned)
    assigned.contested.clear()
    assert partition.anchors.rows[KEY].contested == ["anonymous_id:a1"]


def test_an_anchor_keeps_at_most_the_number_of_links_in_the_rules():
    partition = Partition(IntakeRules(known_links_cap=10))
    for number in range(30):
        at_ms = NOW_MS - 1000 + number
        others = ["user_id:u1", f"device_id:d{number}"]
        result = partition.take(event(message_id=f"m{number}", timestamp_ms=at_ms, identifiers=others))
        assert len(result.links) == 1
        assert len(partition.anchors.rows[KEY].links) <= 10


def test_a_row_survives_its_encoding(partition):
    partition.take(event())
    partition.intake.on_assignment("t", "user_id:u1", Assignment("p", 1, ["anonymous_id:a1"]))
    row = partition.anchors.rows[KEY]
    stored = msgspec.msgpack.encode(row)
    assert msgspec.msgpack.decode(stored, type=AnchorRow) == row
    assert msgspec.msgpack.decode(stored)[0] == ROW_VERSION


def test_digests_differ_for_parts_that_join_to_the_same_text():
    assert digest_of(event(source="a", message_id="bc")) != digest_of(event(source="ab", message_id="c"))
    assert len(digest_of(event())) == 8


def test_a_log_with_one_partition_needs_no_partition_check():
    intake = Intake(IntakeRules(), DEFAULT_TYPES, normalisers("US"), MemoryTable(), MemorySeenIds())
    assert isinstance(intake.on_event(event(), key=KEY, now_ms=NOW_MS), IntakeEffects)
