"""The engine alone, on the real broker: what goes in comes out once, whatever dies in between."""

import collections
import os
import random
import signal
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from pipeline.kafka.admin import ensure_topics
from pipeline.settings import Settings
from pipeline.topics import CHANGELOGS, EVENTS, TOUCHES
from tests.support.fleet import Fleet
from tests.support.waiting import deadline_seconds, eventually

RECORDS, KEYS, PARTITIONS = 120_000, 2_000, 4
WORKER = Path(__file__).with_name("counting_worker.py")
STRAGGLER = "tests.integration.straggling_worker"


@pytest.fixture
def settings(kafka, topic_prefix, tmp_path):
    made = Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=PARTITIONS,
        home=tmp_path,
        session_timeout_ms=3000,
        commit_interval_ms=100,
        batch_records=500,
    )
    ensure_topics(made, (EVENTS["web"], TOUCHES, CHANGELOGS["profile"]))
    return made


@pytest.fixture
def fleet(settings):
    with Fleet(settings, [str(WORKER)]) as running:
        yield running


def produce(settings: Settings, share: range) -> None:
    producer = confluent_kafka.Producer({**settings.kafka(), "partitioner": "murmur2_random", "linger.ms": 20})
    topic = EVENTS["web"].of(settings.topic_prefix)
    for number in share:
        producer.produce(topic, b"x", b"k%d" % (number * number % KEYS))
        producer.poll(0)
    assert producer.flush(deadline_seconds()) == 0


def expected(records: int = RECORDS) -> collections.Counter[tuple[bytes, int]]:
    per_key = collections.Counter(b"k%d" % (number * number % KEYS) for number in range(records))
    return collections.Counter((key, before) for key, count in per_key.items() for before in range(count))


def members(settings: Settings) -> int:
    """Members of the workers' group, as the broker counts them now."""
    admin = AdminClient(settings.kafka())  # a client that is gone answers nothing
    described = admin.describe_consumer_groups([settings.application_id])
    return len(described[settings.application_id].result(deadline_seconds()).members)


def committed_output(settings: Settings, until: int, replay: str, disturb) -> collections.Counter[tuple[bytes, int]]:
    """What a read-committed consumer sees, until there is as much as expected and nothing more comes."""
    consumer = confluent_kafka.Consumer(
        {
            **settings.kafka(),
            "group.id": f"{settings.application_id}-check",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([TOUCHES.of(settings.topic_prefix)])
    seen: collections.Counter[tuple[bytes, int]] = collections.Counter()
    quiet = 0

    def all_is_there() -> bool:
        nonlocal quiet
        messages = consumer.consume(5000, 0.3)
        seen.update((message.key(), int(message.value())) for message in messages if message.error() is None)
        quiet = 0 if messages else quiet + 1
        disturb(seen.total())
        return seen.total() >= until and quiet >= 5

    try:
        eventually(
            all_is_there, f"all of {until} records", lambda: f"{seen.total()}; replay: {replay}", interval_seconds=0
        )
    finally:
        consumer.close()
    return seen


def test_kill_9_stop_and_rebalance_lose_and_double_nothing(settings, fleet):
    seed = int(os.environ.get("STITCHLINE_SEED", "7"))
    chance = random.Random(seed)
    plan = iter(sorted(chance.sample(range(5_000, RECORDS - 20_000), 4)))
    steps = iter(["kill", "stop", "kill", "freeze"])
    produce(settings, range(RECORDS // 2))
    fleet.start("a")
    fleet.start("b")
    state = {"next": next(plan), "made": False}

    def disturb(total: int) -> None:
        assert all(process.poll() is None for process in fleet.running.values()), "a worker ended by itself"
        if not state["made"] and total > RECORDS // 4:
            state["made"] = True
            produce(settings, range(RECORDS // 2, RECORDS))
        if total < state["next"]:
            return
        state["next"] = next(plan, RECORDS * 2)
        victim, step = chance.choice("ab"), next(steps)
        if step == "freeze":
            fleet.running[victim].send_signal(signal.SIGSTOP)
            fleet.until("the group has moved on", lambda: members(settings) == 1)
            fleet.running[victim].send_signal(signal.SIGCONT)
            return
        fleet.end(victim, signal.SIGKILL if step == "kill" else signal.SIGTERM)
        fleet.start(victim)

    replay = f"STITCHLINE_SEED={seed} pytest {__file__}"
    seen = committed_output(settings, RECORDS, replay, disturb)
    wanted = expected()
    assert seen == wanted, f"lost {len(wanted - seen)}, doubled {len(seen - wanted)}; replay: {replay}"
    for worker_id in "ab":
        assert fleet.end(worker_id, signal.SIGTERM) == 0


def test_what_was_fetched_before_a_rebalance_is_not_taken_after_it(settings):
    """Its partitions may be another's, or ours again, and then read anew from the committed offset."""
    produce(settings, range(KEYS))
    with Fleet(settings, ["-m", STRAGGLER]) as slow, Fleet(settings, [str(WORKER)]) as fleet:
        slow.start("a")
        slow.until_ready("a")
        fleet.start("b")  # now partitions are taken away from a
        seen = committed_output(settings, KEYS, f"pytest {__file__}", lambda _total: slow.until("a runs", lambda: True))
        assert seen == expected(KEYS)
        assert slow.end("a") == fleet.end("b") == 0
