"""Makes a transaction that hangs: an open transaction in a partition of which no coordinator knows.

Clients cannot make one, since librdkafka registers every partition first. So the records are sent by hand, in the wire
format of a Produce request (https://kafka.apache.org/protocol.html, https://kafka.apache.org/documentation/#recordbatch).
The broker must run with :data:`ACCEPTS_UNREGISTERED`; otherwise it refuses records of unregistered transactions, as
KIP-890 says.
"""

import socket
import struct
import time
from typing import Final

from confluent_kafka.admin import AdminClient

from pipeline.local.process import wait_until
from tests.support.open_transactions import SETTLED_S

ACCEPTS_UNREGISTERED: Final[dict[str, str | int]] = {"transaction.partition.verification.enable": "false"}
PRODUCE, VERSION = 0, 8
TRANSACTIONAL = 0x10
CASTAGNOLI: Final = 0x82F63B78
PRODUCER_ID: Final = 987_654
NOT_LEADER: Final = 6


def leave_hanging(servers: str, topic: str, partitions: int) -> None:
    """Appends one record of a transaction without a coordinator to each partition."""
    (broker,) = AdminClient({"bootstrap.servers": servers}).list_topics(topic, timeout=SETTLED_S).brokers.values()
    with socket.create_connection((broker.host, broker.port), timeout=SETTLED_S) as connection:
        for partition in range(partitions):
            # A partition has no leader for a moment after its topic was created.
            wait_until(lambda place=partition: _append(connection, topic, place) != NOT_LEADER, SETTLED_S, "no leader")


def _append(connection: socket.socket, topic: str, partition: int) -> int:
    """Sends one record and returns Kafka's error code, 0 or :data:`NOT_LEADER`."""
    connection.sendall(_produce_request(topic, partition))
    with connection.makefile("rb") as answer:
        (size,) = struct.unpack(">i", answer.read(4))
        body = answer.read(size)
    correlation, count, name, number = 4, 4, 2 + len(topic), 4 + 4
    (error,) = struct.unpack_from(">h", body, correlation + count + name + number)
    assert error in {0, NOT_LEADER}, f"Kafka refused the record with error code {error}"
    return int(error)


def _produce_request(topic: str, partition: int) -> bytes:
    batch = _record_batch(b"never committed", int(time.time() * 1000))
    header = struct.pack(">hhi", PRODUCE, VERSION, partition) + _string("by-hand")
    request = header + _string("unregistered") + struct.pack(">hi", -1, 10_000)
    request += struct.pack(">i", 1) + _string(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
    return struct.pack(">i", len(request)) + request


def _record_batch(value: bytes, timestamp_ms: int) -> bytes:
    # Attributes, timestamp and offset deltas of 0, no key (-1), the value, no headers. Varints are zigzag-encoded.
    record = bytes([0, 0, 0, 1, len(value) * 2]) + value + b"\0"
    records = bytes([len(record) * 2]) + record
    epoch, first_sequence, last_offset_delta = 0, 0, 0
    checked = struct.pack(">hiqqqhii", TRANSACTIONAL, last_offset_delta, timestamp_ms, timestamp_ms, PRODUCER_ID,
                          epoch, first_sequence, 1) + records  # fmt: skip
    leader_epoch, magic = -1, 2
    rest = struct.pack(">ibI", leader_epoch, magic, _crc32c(checked)) + checked
    return struct.pack(">qi", 0, len(rest)) + rest


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (CASTAGNOLI if value & 1 else 0)
    return value ^ 0xFFFFFFFF
