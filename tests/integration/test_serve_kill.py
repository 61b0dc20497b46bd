"""The writer is killed again and again while records arrive, then rebuilt: the read model equals the topics.

``STITCHLINE_SEEDS`` is the number of kills on each database (default 3). The topics are read and folded independently.
"""

import os
import random
import time

from pipeline.local.broker import Broker
from pipeline.serve.model import facts
from tests.support.databases import Database
from tests.support.model_oracle import stored
from tests.support.model_records import ModelRecords
from tests.support.model_topics import SlowProducer, WriterUnderTest, deployment
from tests.support.waiting import deadline_seconds

KILLS = int(os.environ.get("STITCHLINE_SEEDS", "3"))
SEED = int(os.environ.get("STITCHLINE_SEED", "5"))
SECONDS_A_KILL = 2.0


def test_the_read_model_equals_the_topics_after_kills_and_a_rebuild(
    kafka: Broker, topic_prefix: str, database: Database
):
    records = ModelRecords(
        seed=SEED, people=20 * max(1, KILLS // 5), events=600 * max(1, KILLS // 5), prefix=topic_prefix
    )
    settings = deployment(kafka.bootstrap_servers, topic_prefix, database)
    chance, producer = random.Random(SEED), SlowProducer(settings, records, KILLS * SECONDS_A_KILL)
    writer = WriterUnderTest(settings)
    producer.start()
    for _ in range(KILLS):
        writer.until_written()
        time.sleep(chance.uniform(0.0, 0.5))  # a random moment: within a poll, a transaction, or a commit
        writer.kill()
        writer.start()
    producer.join(deadline_seconds())
    writer.until_written()

    wanted = writer.until_caught_up(settings)
    found = stored(writer.store.engine)
    for table, rows in wanted.items():
        assert found[table] == rows, f"{table} after {KILLS} kills with seed {SEED}"
    assert len(wanted["profiles"]) > 15
    assert wanted["changes"]

    with writer.store.reading() as connection:
        epoch = facts.fact(connection, facts.EPOCH)
    writer.end()
    writer.start("--rebuild")
    writer.until_written()
    writer.until_caught_up(settings)
    rebuilt = stored(writer.store.engine)
    with writer.store.reading() as connection:
        assert facts.fact(connection, facts.EPOCH) != epoch
    for table, rows in wanted.items():
        assert rebuilt[table] == rows, f"{table} after a rebuild"
    writer.end()
    writer.store.close()
