"""Foreign bytes on every topic of a deployment, by a producer that knows nothing of it."""

from collections.abc import Mapping
from random import Random
from typing import Final

from pipeline.errors import OperatorError
from pipeline.kafka.clients import idempotent_producer
from pipeline.topics import ALL, INPUTS, Topic

FLUSH_SECONDS: Final = 30.0
KEY: Final = b"\xff chaos"
"""Begins the key of every foreign record: no key of ours is without UTF-8."""
PAYLOADS: Final = (b"", b"\x00", b"\xff\xfe\xfd", b"not what you expect", b"\x00\x00\x00\x00\x01", b"\x93\xa1a", b"{}")
READ: Final[frozenset[Topic]] = frozenset(topic for topics in INPUTS.values() for topic in topics)
"""Topics that a stage reads, and whose foreign records it must quarantine."""


class ForeignError(OperatorError):
    """The broker did not take the foreign records. The run says nothing about the pipeline."""


class Foreign:
    """Sends foreign records and remembers what must be in quarantine."""

    def __init__(self, kafka: Mapping[str, str | int], prefix: str, partitions: int) -> None:
        self._producer = idempotent_producer(kafka, {"message.timeout.ms": 0})
        self._prefix, self._partitions = prefix, partitions
        self.sent = 0
        self.to_be_quarantined: list[tuple[str, bytes, bytes]] = []
        """Full topic name, key and value."""

    def send(self, seed: int) -> None:
        """Puts one record on a random partition of every topic.

        Raises:
            ForeignError: the broker did not take them in time.
        """
        random = Random(seed)  # noqa: S311 - a story, not a secret
        for topic in ALL:
            key, value = KEY + random.randbytes(8), random.choice(PAYLOADS)
            name = topic.of(self._prefix)
            self._producer.produce(name, value, key, random.randrange(self._partitions))
            self.sent += 1
            if topic in READ:
                self.to_be_quarantined.append((name, key, value))

    def flush(self) -> None:
        """Returns when the broker has them all. Raises :class:`ForeignError` if it does not take them in time."""
        if self._producer.flush(FLUSH_SECONDS):
            message = f"the broker did not take foreign records within {FLUSH_SECONDS:.0f} s"
            raise ForeignError(message)


def is_foreign(key: bytes | None) -> bool:
    """Returns whether a record is one of these."""
    return key is not None and key.startswith(KEY)
