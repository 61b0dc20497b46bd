"""The Avro codecs of one process, created once: a decoder per event channel, an encoder per public topic."""

from typing import TypeVar

import msgspec

from pipeline.avro.event_columns import EventDecoder
from pipeline.avro.registry import SchemaIds
from pipeline.avro.wire import Encoder
from pipeline.identity.messages import IdentityChange
from pipeline.profile.records import CrmAction, ProfileUpdate, SegmentChange
from pipeline.topics import ACTIONS, CHANGES, EVENTS, SEGMENTS, UPDATES, Topic

Record = TypeVar("Record", bound=msgspec.Struct)


class Codecs:
    """Decoders by the full name of the events topic; encoders for the public output topics."""

    def __init__(self, ids: SchemaIds, prefix: str) -> None:
        def encoder(topic: Topic, struct: type[Record]) -> Encoder[Record]:
            return Encoder(topic.value, ids.id_of(topic.of(prefix), topic.value), struct)

        self.events: dict[str, tuple[str, EventDecoder]] = {
            topic.of(prefix): (channel, EventDecoder(topic.value, ids.writer)) for channel, topic in EVENTS.items()
        }
        """Full topic name to channel and decoder."""
        self.update = encoder(UPDATES, ProfileUpdate)
        self.change = encoder(CHANGES, IdentityChange)
        self.segment = encoder(SEGMENTS, SegmentChange)
        self.action = encoder(ACTIONS, CrmAction)
