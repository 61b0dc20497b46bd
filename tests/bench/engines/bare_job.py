"""The upper bound: a bare librdkafka loop that counts in a dict and sends one record an event.

It decodes nothing, keeps nothing, has no state on disk and no transaction.
"""

import json
import time

import confluent_kafka

from tests.bench.engines import job

BATCH_RECORDS = 4_000
COMMIT_SECONDS = 0.1


def main() -> None:
    """Runs until the process is ended."""
    options = {"bootstrap.servers": job.BROKERS, "compression.type": "lz4", "queue.buffering.max.messages": 2_000_000}
    producer = confluent_kafka.Producer({**options, "linger.ms": 5})
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": job.BROKERS, "group.id": job.NAME, "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )  # fmt: skip
    consumer.subscribe([job.EVENTS_TOPIC])
    counts: dict[bytes, int] = {}
    committed_at, is_dirty = time.monotonic(), False
    while True:
        for record in consumer.consume(BATCH_RECORDS, 0.05):
            key = record.key() or b""
            counts[key] = counts.get(key, 0) + 1
            producer.produce(job.PROFILES_TOPIC, json.dumps({"user": key.decode(), "count": counts[key]}), key)
            is_dirty = True
        producer.poll(0)
        if is_dirty and time.monotonic() - committed_at >= COMMIT_SECONDS:
            producer.flush(30)
            consumer.commit(asynchronous=False)
            committed_at, is_dirty = time.monotonic(), False


if __name__ == "__main__":
    main()
