"""What becomes of events: taken, counted before, or quarantined and why; found by following the topics.

INTAKE sends a touch for each event that it takes, a record to the DLQ for each that it rejects, and nothing for one
that it has counted before. So an event is a duplicate once the group has committed past it, all touches and quarantined
records up to then have been read, and none of them is the event's.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec
from confluent_kafka import Message

from pipeline.avro.registry import SchemaIds
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.kafka.dlq_headers import ITEM, REKEYED_HEADER, headers_as_facts
from pipeline.kafka.follow import Place
from pipeline.profile.messages import Message as ProfileMessage
from pipeline.profile.messages import Touch
from pipeline.query.quarantine import SeenItems, headers_of
from pipeline.topics import DLQ, EVENTS, TOUCHES

Kind: TypeAlias = Literal["taken", "duplicate", "quarantined"]
CONTROL: Final = b"\0"
"""Begins the keys of watermarks and of markings of erasures, which are between the touches."""
MAX_PENDING: Final = 50_000
"""Events without a fate that are remembered. Beyond it the oldest are forgotten, as while no worker runs."""
_Key: TypeAlias = tuple[str, str]
"""Tenant and event id, which is ``source/message_id``."""


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """One event and what became of it. Holds personal data only in ``detail``."""

    fate: Kind
    source: str
    tenant: str = ""
    """Empty if the quarantined bytes do not show it."""
    message_id: str = ""
    """Empty if the quarantined bytes do not show it."""
    name: str = ""
    """The event's name, or the type of a call that has none."""
    timestamp_ms: int = 0
    reason: str = ""
    detail: str = ""
    stage: str = ""
    place: str = ""
    """``partition:offset`` of a quarantined record, for ``dlq show``."""


class Fates:
    """Follows the events of one source, or of all."""

    def __init__(self, ids: SchemaIds, prefix: str, source: str = "") -> None:
        """``source`` "": all sources."""
        self._source = source
        self._channels = {topic.of(prefix): topic for topic in EVENTS.values()}
        self._decoders = {name: Decoder(topic.value, ids.writer) for name, topic in self._channels.items()}
        self._touches, self._dlq = TOUCHES.of(prefix), DLQ.of(prefix)
        self.topics = (*self._channels, self._touches, self._dlq)
        self.event_topics = tuple(self._channels)
        self._touch = msgspec.msgpack.Decoder(ProfileMessage).decode
        self._pending: dict[_Key, tuple[Place, int, Fate]] = {}
        """Events without a fate by key, with place and offset, and the line that is shown if they are taken."""
        self._early: set[_Key] = set()
        """Touches that were read before their event, which is in another topic."""
        self._quarantined_items = SeenItems()

    def feed(self, messages: Iterable[Message]) -> list[Fate]:
        """Takes records in the order of each partition. Returns the events whose fate they show."""
        fates: list[Fate] = []
        for message in messages:
            topic = message.topic() or ""
            if topic in self._channels:
                fates += self._event(topic, message)
            elif topic == self._touches:
                fates += self._taken(message)
            elif topic == self._dlq:
                fates += self._quarantined(message)
        return fates

    def passed(self, committed: Mapping[Place, int]) -> list[Fate]:
        """Returns the pending events before these offsets: duplicates.

        ``committed`` are the group's offsets as of an earlier time, up to which all topics have been fed since.
        """
        passed = [key for key, (place, offset, _) in self._pending.items() if committed.get(place, -1) > offset]
        return [msgspec.structs.replace(self._pending.pop(key)[2], fate="duplicate") for key in passed]

    @property
    def pending(self) -> int:
        """Returns the number of events without a fate."""
        return len(self._pending)

    def _event(self, topic: str, message: Message) -> list[Fate]:
        record = self._decoded(topic, message.value())
        if record is None or self._source not in ("", record["source"]):
            return []
        key = record["tenant"], f"{record['source']}/{record['message_id']}"
        seen = self._pending.get(key)
        is_rekeyed = any(name == REKEYED_HEADER for name, _ in headers_of(message))
        taken = Fate(
            fate="taken", source=record["source"], tenant=record["tenant"], message_id=record["message_id"],
            name=record["event"] or record["type"], timestamp_ms=record["timestamp_ms"],
        )  # fmt: skip
        if key in self._early:
            self._early.discard(key)
            return [taken]
        if seen is not None and not is_rekeyed:
            return [msgspec.structs.replace(taken, fate="duplicate")]
        if len(self._pending) >= MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[key] = (topic, message.partition() or 0), message.offset() or 0, taken
        return []

    def _taken(self, message: Message) -> list[Fate]:
        value, key_bytes = message.value(), message.key() or b""
        is_control = key_bytes.startswith(CONTROL)
        touch = self._touch(value) if value is not None and not is_control else None
        if not isinstance(touch, Touch) or touch.seq:
            return []  # a move, a carry, or a touch that one profile forwards to another
        key = touch.tenant, touch.event_id
        pending = self._pending.pop(key, None)
        if pending is not None:
            return [pending[2]]
        if self._source in ("", touch.event_id.partition("/")[0]) and len(self._early) < MAX_PENDING:
            self._early.add(key)
        return []

    def _quarantined(self, message: Message) -> list[Fate]:
        facts = headers_as_facts(headers_of(message))
        record = self._decoded(facts.get("topic", ""), message.value()) or {}
        source = facts.get("source") or record.get("source", "")
        if self._source not in ("", source):
            return []
        if record:
            self._pending.pop((record["tenant"], f"{source}/{record['message_id']}"), None)
        return [
            Fate(
                fate="duplicate" if self._quarantined_items.is_repeat(facts.get(ITEM, "")) else "quarantined",
                source=source, tenant=record.get("tenant", ""),
                message_id=record.get("message_id", ""),
                name=record.get("event", "") or record.get("type", ""), timestamp_ms=message.timestamp()[1],
                reason=facts.get("reason", ""), detail=facts.get("detail", ""), stage=facts.get("stage", ""),
                place=f"{message.partition()}:{message.offset()}",
            )
        ]  # fmt: skip

    def _decoded(self, topic: str, value: bytes | None) -> dict[str, Any] | None:
        """Returns the event of a record, or None if it is none: INTAKE quarantines it, which is shown then."""
        decode = self._decoders.get(topic)
        if decode is None or value is None:
            return None
        try:
            return decode(value)
        except Undecodable:
            return None
