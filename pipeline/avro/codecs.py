"""The Avro codecs of one process, made once: a decoder per event channel, an encoder per public topic."""

from collections.abc import Callable
from typing import Any, TypeAlias

from pipeline.avro.event_columns import EventDecoder
from pipeline.avro.registry import SchemaIds
from pipeline.avro.wire import Encoder
from pipeline.topics import ACTIONS, CHANGES, EVENTS, SEGMENTS, UPDATES, Topic

Encode: TypeAlias = Callable[[dict[str, Any]], bytes]


class Codecs:
    """Decoders by the events topic's name on the broker; encoders for what leaves Stitchline."""

    def __init__(self, ids: SchemaIds, prefix: str) -> None:
        def encoder(topic: Topic) -> Encode:
            return Encoder(topic.value, ids.id_of(topic.of(prefix), topic.value))

        self.events: dict[str, tuple[str, EventDecoder]] = {
            topic.of(prefix): (channel, EventDecoder(topic.value, ids.writer)) for channel, topic in EVENTS.items()
        }
        """Broker topic to its channel and decoder."""
        self.update = encoder(UPDATES)
        self.change = encoder(CHANGES)
        self.segment = encoder(SEGMENTS)
        self.action = encoder(ACTIONS)
