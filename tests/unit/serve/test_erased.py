"""What the read model forgets of an erased customer, whichever record it reads first."""

import itertools

import pytest

import schemas
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Encoder
from pipeline.serve.model.fold import Fold
from pipeline.serve.model.store import Store
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ACTIONS, CHANGES
from tests.support.databases import Database
from tests.support.model_oracle import stored

PREFIX = "cdp"


@pytest.fixture
def store(database: Database):
    opened = Store.open(database.url, database.home)
    opened.prepare(PREFIX)
    yield opened
    opened.close()


def record(topic, offset, **fields) -> MemoryRecord:
    name = topic.of(PREFIX)
    encode = Encoder(topic.value, FileIds().id_of(name, topic.value))
    key = fields["profile_id"].encode()
    return MemoryRecord(name, offset, key, encode({"tenant": "default", **fields}), None, partition=offset)


def change(seq, kind, profile_id, other="", *identifiers):
    more = {"other_profile_id": other, "identifiers": list(identifiers)}
    return record(CHANGES, seq, seq=seq, change=kind, profile_id=profile_id, **more)


CHANGED = [
    change(1, "merged", "p", "q", "email:ann@shop.example"),
    change(2, "merged", "r", "p", "user_id:ann"),
    change(3, "erased", "p"),
    change(4, "merged", "p", "s", "user_id:back"),
]
LEAD = [
    record(ACTIONS, 11, profile_id="p", action_id="a", revision=1, kind="lead", contact={"email": "ann@shop.example"}),
    record(ACTIONS, 12, profile_id="p", action_id="a", revision=2, kind="erase"),
    record(ACTIONS, 13, profile_id="b", action_id="b", revision=1, kind="lead"),
]


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))][::5])
def test_changes_before_an_erasure_are_gone_in_any_order(store, order):
    fold = Fold(schemas.text_of_own_id, PREFIX)
    for place in order:
        with store.writing() as connection:
            fold.apply(connection, [CHANGED[place]], into_feed=False)

    assert sorted(row["seq"] for row in stored(store.engine)["changes"].values()) == [3, 4]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_revisions_before_the_erasure_of_a_lead_are_gone_in_any_order(store, order):
    fold = Fold(schemas.text_of_own_id, PREFIX)
    for place in order:
        with store.writing() as connection:
            fold.apply(connection, [LEAD[place]], into_feed=False)

    tables = stored(store.engine)
    assert set(tables["actions"]) == {("a", 2), ("b", 1)}
    assert "ann@shop.example" not in repr(tables)
