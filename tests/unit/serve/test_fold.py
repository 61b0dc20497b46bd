"""The tables are a fold of the topics: on both databases, however records are batched and interleaved."""

from pathlib import Path

import msgspec
import pytest

import schemas
from pipeline.avro.wire import Encoder
from pipeline.event.erasure import Marking, digest_of
from pipeline.serve.follower import OtherWriterError, rebuild
from pipeline.serve.model.fold import Fold
from pipeline.serve.model.kinds.quarantined import forget_deleted
from pipeline.serve.model.store import DatabaseError, Store, create_model
from pipeline.serve.model.writer import positions
from pipeline.serve.model.writer_lock import writer_connection
from pipeline.testing.log import MemoryRecord
from pipeline.topics import ACTIONS, DLQ, MARKS, UPDATES
from tests.support.databases import Database
from tests.support.model_oracle import expected, stored
from tests.support.model_records import ModelRecords

PREFIX = "cdp"


@pytest.fixture
def empty_store(database: Database):
    opened = Store.open(database.url, database.home)
    opened.prepare(PREFIX)
    yield opened
    opened.close()


def fold_all(store: Store, records: ModelRecords, seed: int) -> None:
    fold, reached = Fold(schemas.text_of_own_id, PREFIX), {}
    for batch in records.batches(seed):
        reached |= {(record.topic(), record.partition()): record.offset() + 1 for record in batch}
        with store.writing() as connection:
            fold.apply(connection, batch, into_feed=True)
            fold.set_positions(connection, reached)
    assert fold.skipped.records == {}


def everything(records: ModelRecords) -> list[MemoryRecord]:
    return [record for place in sorted(records.by_place) for record in records.by_place[place]]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_tables_equal_a_naive_fold_of_the_topics(empty_store, records, seed):
    fold_all(empty_store, records, seed)

    wanted = expected(everything(records), PREFIX)
    assert len(wanted["profiles"]) > 40
    assert wanted["leads"]
    assert wanted["changes"]
    found = stored(empty_store.engine)
    for table, rows in wanted.items():
        assert found[table] == rows, table
    with empty_store.reading() as connection:
        assert positions(connection) == {place: waiting[-1].offset() + 1 for place, waiting in records.by_place.items()}


def test_applying_records_again_changes_nothing(empty_store, records):
    fold_all(empty_store, records, 3)
    before = stored(empty_store.engine)

    fold_all(empty_store, records, 4)

    assert stored(empty_store.engine) == before


def test_tombstones_delete_a_profile_from_every_table(empty_store, records):
    fold_all(empty_store, records, 5)
    found = stored(empty_store.engine)
    segment, profile_id = min(found["members"])
    fold = Fold(schemas.text_of_own_id, PREFIX)

    tombstone = MemoryRecord(UPDATES.of(PREFIX), 10_000, profile_id.encode(), None, None)
    with empty_store.writing() as connection:
        fold.apply(connection, [tombstone], into_feed=True)

    after = stored(empty_store.engine)
    assert profile_id not in after["profiles"]
    assert (segment, profile_id) not in after["members"]
    assert len(after["profiles"]) == len(found["profiles"]) - 1


def test_a_foreign_record_is_skipped_and_counted(empty_store):
    fold = Fold(schemas.text_of_own_id, PREFIX)
    foreign = [MemoryRecord(topic.of(PREFIX), 0, b"k", b"no avro", None) for topic in (UPDATES, ACTIONS)]

    with empty_store.writing() as connection:
        fold.apply(connection, foreign, into_feed=True)

    assert fold.skipped.records == {UPDATES.name: 1, ACTIONS.name: 1}
    by_topic = fold.skipped.by_topic()
    assert fold.skipped.records.items() <= by_topic.items()
    assert by_topic["segment.changes.v1"] == 0


def test_a_rebuild_deletes_rows_and_offsets(empty_store, records):
    fold_all(empty_store, records, 6)

    with empty_store.writing() as connection:
        create_model(connection, PREFIX)

    with empty_store.reading() as connection:
        assert positions(connection) == {}
    assert not any(stored(empty_store.engine).values())


def test_a_database_of_another_deployment_is_refused(empty_store, database: Database):
    other = Store.open(database.url, database.home)
    with pytest.raises(DatabaseError, match="STITCHLINE_TOPIC_PREFIX"):
        other.prepare("other")
    other.close()


@pytest.mark.parametrize("url", ["mysql://a/b", "no url", "postgresql://user:hidden@127.0.0.1:1/none"])
def test_an_unusable_url_is_refused_without_its_password(url, tmp_path: Path):
    with pytest.raises(DatabaseError, match="STITCHLINE_DATABASE_URL") as refused:
        Store.open(url, tmp_path).prepare(PREFIX)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("first", [True, False], ids=["mark first", "mark last"])
def test_an_erasure_deletes_older_decisions_and_leads_whichever_is_read_first(empty_store, records, first):
    wanted = expected(everything(records), PREFIX)
    lead = next(iter(wanted["leads"].values()))
    person = lead["identifiers"]
    seq = max(change["seq"] for change in wanted["changes"].values())
    digests = [digest_of("default", ident) for ident in person]
    marking = Marking("default", "r1", "erase", seq, lead["timestamp_ms"], digests[:1], digests[1:])
    mark = MemoryRecord(MARKS.of(PREFIX), 0, b"default/r1", msgspec.msgpack.encode(marking), None)
    fold = Fold(schemas.text_of_own_id, PREFIX)
    for batch in ([mark], everything(records)) if first else (everything(records), [mark]):
        with empty_store.writing() as connection:
            fold.apply(connection, batch, into_feed=True)

    found = stored(empty_store.engine)
    erased = set(person)
    assert found["changes"] == {
        place: change
        for place, change in wanted["changes"].items()
        if not erased & {*change["identifiers"], change["founder"]}
    }
    kept = {key: action for key, action in wanted["actions"].items() if not erased & set(action["identifiers"])}
    assert found["actions"] == kept
    assert set(found["leads"]) == {action_id for action_id, _ in kept}
    assert 0 < len(found["leads"]) < len(wanted["leads"])
    assert 0 < len(found["changes"]) < len(wanted["changes"])


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_the_highest_revision_of_an_action_is_in_force_also_within_one_batch(empty_store, order):
    encode = Encoder(ACTIONS.value, schemas.own_id(ACTIONS.value))
    fold, place = Fold(schemas.text_of_own_id, PREFIX), ACTIONS.of(PREFIX)
    revisions = [{"action_id": "a", "tenant": "default", "profile_id": "p", "revision": number} for number in order]
    batch = [MemoryRecord(place, at, b"p", encode(action), None) for at, action in enumerate(revisions)]

    with empty_store.writing() as connection:
        fold.apply(connection, batch, into_feed=True)

    found = stored(empty_store.engine)
    assert found["leads"]["a"]["revision"] == 3
    assert sorted(found["actions"]) == [("a", 1), ("a", 2), ("a", 3)]


def test_a_database_with_a_writer_is_not_rebuilt(empty_store, records):
    fold_all(empty_store, records, 7)
    before = stored(empty_store.engine)

    with writer_connection(empty_store) as writer, writer_connection(empty_store) as other:
        assert writer is not None
        assert other is None
        with pytest.raises(OtherWriterError, match="end it, then rebuild"):
            rebuild(empty_store, PREFIX)
    assert stored(empty_store.engine) == before

    rebuild(empty_store, PREFIX)
    assert not any(stored(empty_store.engine).values())


def test_quarantined_records_are_listed_until_their_topic_forgets_them(empty_store):
    fold, place = Fold(schemas.text_of_own_id, PREFIX), DLQ.of(PREFIX)
    headers = [("stitchline-reason", b"not_json"), ("stitchline-stage", b"intake")]
    batch = [MemoryRecord(place, at, b"k", b"poison", headers, partition=1) for at in range(5)]
    with empty_store.writing() as connection:
        fold.apply(connection, batch, into_feed=True)
        forget_deleted(connection, DLQ.name, 1, 3)
        forget_deleted(connection, DLQ.name, 0, 100)

    with empty_store.reading() as connection:
        rows = connection.exec_driver_sql('SELECT topic, partition, "offset", reason, stage FROM quarantine').all()

    assert sorted(map(tuple, rows)) == [(DLQ.name, 1, at, "not_json", "intake") for at in (3, 4)]


def test_of_an_item_that_was_sent_again_the_newest_record_is_listed(empty_store):
    fold, place = Fold(schemas.text_of_own_id, PREFIX), DLQ.of(PREFIX)
    records = [
        MemoryRecord(place, at, b"k", b"bad", [("stitchline-item", item)], partition=0)
        for at, item in enumerate((b"a", b"a", b"b", b"b", b"a"))
    ]
    with empty_store.writing() as connection:
        for batch in (records[:3], records[3:]):
            fold.apply(connection, batch, into_feed=True)
        fold.apply(connection, records[3:], into_feed=True)

    with empty_store.reading() as connection:
        rows = connection.exec_driver_sql('SELECT item, "offset" FROM quarantine').all()

    assert sorted(map(tuple, rows)) == [("a", 4), ("b", 3)]
