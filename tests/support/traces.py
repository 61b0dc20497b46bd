"""A search for values in every byte: of each record of every topic, compacted or not, and of each file of a folder."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import confluent_kafka
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from pipeline.topics import ALL
from tests.support.waiting import eventually

BROKER: Final = {
    "log.retention.ms": 3_600_000, "log.roll.ms": 60_000, "log.cleaner.backoff.ms": 200,
    "log.initial.task.delay.ms": 0,
}  # fmt: skip
"""Settings of a broker that compacts closed segments at once."""
COMPACT_AT_ONCE: Final = {
    "segment.ms": "100", "min.cleanable.dirty.ratio": "0.0001", "max.compaction.lag.ms": "100",
    "delete.retention.ms": "0",
}  # fmt: skip


class Traces:
    """What is left of ``secrets`` in one deployment. Records that no transaction committed count too."""

    def __init__(self, bootstrap_servers: str, prefix: str, partitions: int, secrets: Sequence[str]) -> None:
        self._servers, self._prefix, self._partitions = bootstrap_servers, prefix, partitions
        self.secrets = [secret.lower().encode() for secret in secrets]

    def compact_at_once(self) -> None:
        """Configures the compacted topics so that the broker compacts them without delay."""
        client, change = AdminClient({"bootstrap.servers": self._servers}), AlterConfigOpType.SET
        entries = [ConfigEntry(name, text, incremental_operation=change) for name, text in COMPACT_AT_ONCE.items()]
        resources = [
            ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
            for name in self._topics("compact")
        ]
        for answer in client.incremental_alter_configs(resources).values():
            answer.result(30)

    def records(self, topic: str) -> list[confluent_kafka.Message]:
        """Every record that the broker holds."""
        consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self._servers, "group.id": "search", "enable.partition.eof": True,
                "isolation.level": "read_uncommitted", "enable.auto.commit": False,
            }
        )  # fmt: skip
        begin = confluent_kafka.OFFSET_BEGINNING
        consumer.assign([confluent_kafka.TopicPartition(topic, number, begin) for number in range(self._partitions)])
        records, ended = [], set()
        while len(ended) < self._partitions:
            message = consumer.poll(30)
            assert message is not None, topic
            if message.error() is None:
                records.append(message)
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
        consumer.close()
        return records

    def in_topics(self, cleanup: str) -> Counter[str]:
        """By topic, the records with one of the values."""
        counts = {name: sum(map(self._is_in, self.records(name))) for name in self._topics(cleanup)}
        return Counter({name: count for name, count in counts.items() if count})

    def wait_for_compaction(self) -> None:
        """Waits until no compacted topic has one of the values."""

        def is_clean() -> bool:
            self._roll()
            return not self.in_topics("compact")

        eventually(is_clean, "compaction", lambda: str(self.in_topics("compact")), interval_seconds=1)

    def in_files(self, folder: Path, is_searched: Callable[[Path], bool]) -> list[str]:
        """The files with one of the values, and which."""
        files = [path for path in folder.rglob("*") if path.is_file() and is_searched(path)]
        left = [(path, secret) for path in files for secret in self.in_bytes(path.read_bytes())]
        return [f"{path.relative_to(folder)} holds {secret}" for path, secret in left]

    def in_bytes(self, content: bytes) -> list[str]:
        """Those of the values that occur, in any letter case."""
        lower = content.lower()
        return [secret.decode() for secret in self.secrets if secret in lower]

    def _is_in(self, message: confluent_kafka.Message) -> bool:
        return bool(self.in_bytes((message.key() or b"") + (message.value() or b"")))

    def _topics(self, cleanup: str) -> Iterable[str]:
        return [topic.of(self._prefix) for topic in ALL if topic.cleanup == cleanup]

    def _roll(self) -> None:
        """Appends a record to every partition of the compacted topics: Kafka compacts closed segments only."""
        producer = confluent_kafka.Producer({"bootstrap.servers": self._servers})
        for name in self._topics("compact"):
            for partition in range(self._partitions):
                producer.produce(name, b"filler", b"\0watermark/filler", partition)
        assert producer.flush(30) == 0
