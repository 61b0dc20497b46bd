"""One partition of one topic, as a key."""

from typing import NamedTuple


class TopicPartition(NamedTuple):
    """A topic's name on the broker and a partition number."""

    topic: str
    partition: int
