"""The pure parts of the runner: progress out of order, the barrier, the buckets, the ledger."""

import random
from typing import NamedTuple

import pytest

from connectors.crm.bucket import Bucket, Buckets, Limit
from connectors.crm.kafka_log import LedgerTopic
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import DUPLICATE, LedgerRow, value_hash
from connectors.crm.progress import MAX_SPAN, Progress
from connectors.crm.schedule import Schedule, item_of
from connectors.crm.sink import Action


@pytest.mark.parametrize("seed", range(20))
def test_progress_survives_restarts_at_any_moment_and_never_offers_a_settled_offset(seed):
    chance = random.Random(seed)
    offsets = sorted(chance.sample(range(5, 400), 120))  # gaps: transaction markers
    settled: set[int] = set()
    progress, taken = Progress(5, ""), 0
    opened: list[int] = []
    while len(settled) < len(offsets):
        if chance.random() < 0.03:
            progress = Progress(progress.position, progress.metadata())
            taken, opened = sum(at < progress.position for at in offsets), []
        if taken < len(offsets) and chance.random() < 0.5:
            at, taken = offsets[taken], taken + 1
            assert progress.is_settled(at) == (at in settled)
            if at in settled:
                progress.pass_over(at)
            else:
                progress.take(at)
                opened.append(at)
        elif opened:
            at = opened.pop(chance.randrange(len(opened)))
            progress.settle(at)
            settled.add(at)
        assert not {at for at in offsets if at < progress.position} - settled
    assert len(progress.metadata()) <= 4096


def test_the_metadata_of_a_full_window_fits_a_broker():
    progress = Progress(0, "")
    for offset in range(MAX_SPAN):
        progress.take(offset)
    for offset in range(1, MAX_SPAN):
        progress.settle(offset)

    assert progress.is_full
    assert len(progress.metadata()) <= 4096
    assert Progress(0, progress.metadata()).is_settled(MAX_SPAN - 1)
    assert not Progress(0, progress.metadata()).is_settled(0)


def test_a_partition_that_begins_late_is_not_full():
    progress = Progress(0, "")
    progress.take(MAX_SPAN * 2)

    assert not progress.is_full


def item(action_id: str, profile: str, **body):
    return item_of(Action(0, 0, {"action_id": action_id, "profile_id": profile, **body}))


def test_closing_a_lead_waits_for_the_lead_that_stays_open():
    schedule = Schedule()
    schedule.add([item("a", "p"), item("b", "q", duplicate_of="a"), item("c", "r")])

    assert [one.action.action_id for one in schedule.due(0, 10)] == ["a", "c"]


def test_an_action_that_moved_to_another_profile_keeps_its_order():
    schedule = Schedule()
    schedule.add([item("a", "p", tenant="x"), item("a", "q", tenant="x"), item("a", "q", tenant="y")])

    assert [one.action.tenant for one in schedule.due(0, 10)] == ["x", "y"]


def test_the_number_of_actions_at_once_is_bounded():
    schedule = Schedule()
    schedule.add(item(str(number), str(number)) for number in range(9))

    assert len(schedule.due(0, 4)) == 4


def test_a_bucket_lets_through_its_rate():
    bucket, now, sent = Bucket(5, 10.0), 0, 0
    while now < 10_000:
        wait = bucket.take(now)
        sent, now = (sent + 1, now) if not wait else (sent, now + wait)

    assert 100 <= sent <= 105


def test_tenants_do_not_share_a_bucket_and_unknown_policies_are_free():
    buckets = Buckets({"search": Limit(1, 1.0)})

    assert [buckets.take(tenant, "search", 0) for tenant in "aab"] == [0, 1000, 0]
    assert {buckets.take("a", "other", 0) for _ in range(9)} == {0}


def row(action: str, revision: int, **fields) -> LedgerRow:
    return LedgerRow(sink="s", tenant="t", action_id=action, revision=revision, **fields)


def test_the_ledger_keeps_the_highest_revision_whatever_the_order():
    ledger = Ledger()
    ledger.apply([row("a", 2, object_id="1"), row("a", 1, object_id="2"), row("b", 1)])

    assert ledger.of_actions("t", ["a", "b", "c"]) == {"a": row("a", 2, object_id="1"), "b": row("b", 1)}
    assert ledger.of_actions("other", ["a"]) == {}
    assert len(ledger) == 2
    assert [one.action_id for one in ledger] == ["a", "b"]


def test_the_ledger_finds_a_profile_s_first_open_object():
    ledger = Ledger()
    ledger.apply([
        row("a", 1, profile_id="p", object_id="1", state=DUPLICATE, written_ms=1),
        row("b", 1, profile_id="p", object_id="2", written_ms=3),
        row("c", 1, profile_id="p", object_id="3", written_ms=2),
        row("d", 1, profile_id="q", written_ms=2),
    ])  # fmt: skip

    assert {name: one.object_id for name, one in ledger.of_profiles("t", ["p", "q"]).items()} == {"p": "3"}


def test_a_tombstone_of_the_ledger_topic_removes_its_row_and_no_other():
    topic = LedgerTopic(
        "ledger", lambda row: row.action_id.encode(), lambda value: {**FIRST, "action_id": value.decode()}
    )
    keys = [(b"s/t/sync:7", b"sync:7"), (b"s/t/b", b"b"), (b"s/t/sync:7", None), (b"s/odd", None), (b"s2/t/b", None)]
    ledger = Ledger()
    ledger.apply(topic.rows_of([Written(key, value) for key, value in keys], "s"))

    assert [row.action_id for row in ledger] == ["b"]
    (gone,) = topic.rows_of([Written(b"s/t/sync:7", None)], "s")
    assert (gone.key, gone.written_ms, topic.value_of(gone)) == ("s/t/sync:7", 5, None)


class Written(NamedTuple):
    """A record of the ledger topic."""

    of_key: bytes
    of_value: bytes | None

    def key(self) -> bytes:
        return self.of_key

    def value(self) -> bytes | None:
        return self.of_value

    def timestamp(self) -> tuple[int, int]:
        return 1, 5


FIRST = {"sink": "s", "tenant": "t"}


def test_a_hash_tells_values_apart_and_hides_them():
    assert value_hash("a") != value_hash("b")
    assert len(value_hash("ann@shop.example")) == 16
