"""Transactions left open by producers that were killed, and a broker killed in the middle of them."""

import os
import signal
import subprocess
import sys

import confluent_kafka
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.local.kafka import LocalKafka
from pipeline.local.process import is_running, wait_until

PRODUCERS = 2
TRANSACTION_TIMEOUT_MS = 1_000
"""Over before the broker is back, so that its first look for timed-out transactions finds them."""
SETTLED_S = 45.0
"""The transaction timeout, Kafka's default pause of 10 s between two looks at it, and a busy machine."""

PRODUCER = """
import sys, threading
from confluent_kafka import Producer
servers, name, topic, partitions, timeout_ms = sys.argv[1:]
producer = Producer({"bootstrap.servers": servers, "transactional.id": name, "transaction.timeout.ms": timeout_ms})
producer.init_transactions(30)
producer.begin_transaction()
for partition in range(int(partitions)):
    producer.produce(topic, b"never committed", partition=partition)
producer.flush(30)
print("open", flush=True)
threading.Event().wait()
"""


def leave_transactions_open(servers: str, topic: str, partitions: int) -> None:
    """Two producers with records of an open transaction in every partition, killed with -9."""
    arguments = (topic, str(partitions), str(TRANSACTION_TIMEOUT_MS))
    command = [sys.executable, "-c", PRODUCER, servers]
    running = [
        subprocess.Popen([*command, f"producer-{number}", *arguments], stdout=subprocess.PIPE, text=True)
        for number in range(PRODUCERS)
    ]
    for process in running:
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            process.kill()


def kill_and_restart(broker: LocalKafka) -> None:
    """kill -9 of a detached broker, and a start on the same port and data."""
    os.kill(broker.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(broker.pid), 10, "the broker outlived kill -9")
    broker.start()


def open_partitions(servers: str, topic: str, partitions: int) -> list[int]:
    """Partitions whose last stable offset is below their high watermark.

    Uses a new client each time: an older one sends the leader epochs from before the kill.
    """
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    places = [TopicPartition(topic, partition) for partition in range(partitions)]

    def ends(level: IsolationLevel) -> dict[int, int]:
        result = admin.list_offsets({place: OffsetSpec.latest() for place in places}, isolation_level=level)
        return {place.partition: answer.result(10).offset for place, answer in result.items()}

    stable, high = ends(IsolationLevel.READ_COMMITTED), ends(IsolationLevel.READ_UNCOMMITTED)
    return [partition for partition, offset in high.items() if stable[partition] < offset]


def none_open(servers: str, topic: str, partitions: int) -> bool:
    """Whether every partition is stable; False while the broker, just started, has partitions without a leader."""
    try:
        return not open_partitions(servers, topic, partitions)
    except confluent_kafka.KafkaException:
        return False
