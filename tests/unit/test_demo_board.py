import pytest

import schemas
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Encoder
from pipeline.profile.publish import merged_record
from pipeline.profile.records import ProfileUpdate
from pipeline.profile.row import ProfileRow
from pipeline.query.live import Counts, LeadBoard
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ACTIONS, CHANGES, DLQ, UPDATES, Topic


@pytest.fixture
def board() -> LeadBoard:
    return LeadBoard(FileIds(), "t")


def record(topic: Topic, value: dict | ProfileUpdate | bytes | None) -> MemoryRecord:
    if isinstance(value, dict | ProfileUpdate):
        struct = ProfileUpdate if isinstance(value, ProfileUpdate) else None
        value = Encoder(topic.value, schemas.own_id(topic.value), struct)(value)
    return MemoryRecord(topic.of("t"), 0, b"key", value, None)


def active(profile_id: str, **scores: float) -> MemoryRecord:
    return record(UPDATES, {"profile_id": profile_id, "status": "active", "scores": scores})


def merged(profile_id: str, into: str) -> MemoryRecord:
    return record(UPDATES, merged_record(profile_id, ProfileRow("default"), into, 0))


def lead(action_id: str, profile_id: str, **more: object) -> MemoryRecord:
    fields = {"action_id": action_id, "profile_id": profile_id, "kind": "lead", "score": 71.0}
    return record(ACTIONS, fields | {"identifiers": [f"user_id:{profile_id}"]} | more)


def test_customers_are_the_profiles_that_are_active_now(board):
    board.feed([active("a"), active("b"), active("a"), merged("b", "a"), record(CHANGES, {"change": "merged"})])

    assert board.counts() == Counts(customers=1, merges=1, leads=0, duplicates=0, quarantined=0)


def test_a_lead_is_as_hot_as_its_customer_is_now_also_after_a_merge(board):
    actions = board.feed([lead("1", "a"), lead("2", "b"), active("b", engagement=90.0), active("c", engagement=120.0)])
    assert [action["action_id"] for action in actions] == ["1", "2"]
    assert [(item.name, item.score) for item in board.hottest(5)] == [("user_id:b", 90.0), ("user_id:a", 71.0)]

    board.feed([merged("a", "c")])

    assert [(item.name, item.score) for item in board.hottest(1)] == [("user_id:a", 120.0)]


def test_a_lead_that_turns_out_to_be_a_duplicate_is_closed_whichever_record_comes_first(board):
    closing = lead("2", "a", kind="duplicate_of", duplicate_of="1", revision=2)
    board.feed([closing, lead("1", "a"), lead("2", "b")])

    assert board.counts().leads == 1
    assert board.counts().duplicates == 1
    assert [item.name for item in board.hottest(5)] == ["user_id:a"]


def test_of_several_records_about_a_lead_the_highest_revision_counts_in_whichever_order_they_come(board):
    again, closing = lead("2", "b", revision=3), lead("2", "a", kind="duplicate_of", duplicate_of="1", revision=2)
    board.feed([lead("1", "a"), again, closing, lead("2", "b")])

    assert (board.counts().leads, board.counts().duplicates) == (2, 0)


def test_quarantined_records_are_counted_and_unreadable_ones_do_no_harm(board):
    board.feed([record(DLQ, b"\xff"), record(DLQ, None), record(UPDATES, b"\x00garbage"), record(UPDATES, None)])

    assert board.counts().quarantined == 2
    assert board.unreadable == 1
