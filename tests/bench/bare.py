"""The yardstick: a bare librdkafka loop on the same broker, core and records. It counts in a dict and keeps nothing."""

import os
import time

import confluent_kafka

from pipeline.topics import DLQ, EVENTS

QUIET_SECONDS = 30.0
BATCH_RECORDS = 4_000


def bare_loop(bootstrap: str, name: str, wanted: int) -> float:
    """Events per second: consume, count per key, produce one record for each; no decoding, no state, no transaction."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    config = {"bootstrap.servers": bootstrap, "compression.type": "lz4", "queue.buffering.max.messages": 2_000_000}
    try:
        return _timed(confluent_kafka.Producer({**config, "linger.ms": 5}), _consumer(bootstrap, name), name, wanted)
    finally:
        os.sched_setaffinity(0, cores)


def _consumer(bootstrap: str, name: str) -> confluent_kafka.Consumer:
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{name}-bare", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic.of(name) for topic in EVENTS.values()])
    return consumer


def _timed(producer: confluent_kafka.Producer, consumer: confluent_kafka.Consumer, name: str, wanted: int) -> float:
    seen: dict[bytes | None, int] = {}
    target = DLQ.of(name)  # a topic that the job itself left empty
    taken, started, last = 0, 0.0, time.perf_counter()
    while taken < wanted:
        records = consumer.consume(BATCH_RECORDS, 0.2)
        now = time.perf_counter()
        if records:
            started, last = started or now, now
        elif now - last > QUIET_SECONDS:
            message = f"no more records after {taken} of {wanted}"
            raise TimeoutError(message)
        for record in records:
            key = record.key()
            seen[key] = seen.get(key, 0) + 1
            producer.produce(target, record.value(), key)
        producer.poll(0)
        taken += len(records)
    producer.flush(60)
    seconds = time.perf_counter() - started
    consumer.close()
    return taken / seconds
