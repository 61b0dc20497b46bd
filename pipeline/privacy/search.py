"""Finds the records that name a person: on every topic, by their bytes and by the identifiers of decoded events."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from confluent_kafka import Message

from pipeline.avro.codecs import Codecs
from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Undecodable
from pipeline.event.accept import Acceptor
from pipeline.event.errors import InvalidEventError
from pipeline.event.model import Event
from pipeline.event.result import Rejected
from pipeline.kafka.reading import MissingTopicError, Progress, Reading, partitions_of
from pipeline.privacy.person import Person
from pipeline.privacy.stated_tenant import Tenants
from pipeline.rules.model import Rules
from pipeline.rules.normalisers import normalisers
from pipeline.settings import Settings
from pipeline.topics import ALL, EVENTS, Topic


class Found(NamedTuple):
    """A record that names the person."""

    topic: Topic
    message: Message
    is_identified: bool
    """Whether it holds an identifier of the person; else it holds a profile id only."""
    event: Event | None
    """The event as INTAKE would normalise it, on an events topic, if it can be decoded."""
    tenant: str | None
    """The tenant that it states; None if it states none for certain."""
    is_foreign: bool
    """Whether it certainly belongs to another tenant."""


class TopicSearch:
    """One search of all topics from their beginning to their current end, read-committed."""

    def __init__(self, settings: Settings, rules: Rules) -> None:
        self._settings, self._kafka, self._prefix = settings, settings.kafka(), settings.topic_prefix
        ids = schema_ids(settings.schema_registry_url)
        readers = {connection.name: connection.back.tenant for connection in rules.crm.connections}
        self._codecs, self._tenants = Codecs(ids, settings.topic_prefix), Tenants(ids, readers)
        self._accept = Acceptor(rules.intake, rules.identifiers, normalisers(rules.intake.default_country)).accept
        self._newest: dict[tuple[str, bytes], int] = {}
        """On compacted topics, the offset of the newest record of each key of which one named the person."""
        self._events = {topic.of(self._prefix) for topic in EVENTS.values()}

    def records(self, person: Person, progress: Progress, topics: Iterable[Topic] = ALL) -> Iterator[Found]:
        """Yields every record that names the person, topic by topic. A topic that does not exist holds none."""
        for topic in topics:
            name = topic.of(self._prefix)
            try:
                partitions = range(partitions_of(self._kafka, name))
            except MissingTopicError:
                continue
            for batch in Reading(self._kafka, name, partitions, progress=progress).batches():
                for message in batch:
                    event = self._event(name, message) if name in self._events else None
                    is_identified = _names(person, message, event)
                    is_named = is_identified or _has_profile(person, message)
                    self._note(topic, message, is_named=is_named)
                    if is_named:
                        tenant = self._tenants.stated(topic, message.key() or b"", message.value() or b"", event)
                        is_foreign = tenant not in {None, person.tenant} and not _has_profile(person, message)
                        yield Found(topic, message, is_identified, event, tenant, is_foreign)

    def is_newest(self, message: Message) -> bool:
        """Returns whether a record of a compacted topic is the newest of its key, once all records were read."""
        key = message.key()
        return isinstance(key, bytes) and self._newest.get((message.topic() or "", key)) == message.offset()

    def is_current(self, found: Found) -> bool:
        """Returns whether the newest value of a key of a compacted topic holds an identifier of the person."""
        return found.is_identified and found.message.value() is not None and self.is_newest(found.message)

    def _note(self, topic: Topic, message: Message, *, is_named: bool) -> None:
        key, place = message.key(), message.topic() or ""
        if topic.cleanup == "compact" and isinstance(key, bytes) and (is_named or (place, key) in self._newest):
            self._newest[place, key] = message.offset() or 0

    def _event(self, topic: str, message: Message) -> Event | None:
        channel, decoder = self._codecs.events[topic]
        value = message.value()
        try:
            event = decoder.event(channel, value)
            accepted = self._accept(event, event.timestamp_ms, len(value or b""))
        except (Undecodable, InvalidEventError):
            return None
        return None if isinstance(accepted, Rejected) else accepted


def _has_profile(person: Person, message: Message) -> bool:
    return person.has_profile_in(message.key() or b"") or person.has_profile_in(message.value() or b"")


def _names(person: Person, message: Message, event: Event | None) -> bool:
    key, value = message.key() or b"", message.value() or b""
    if person.is_named_in(key) or person.is_named_in(value):
        return True
    return (
        event is not None
        and event.tenant == person.tenant
        and not set(person.identifiers).isdisjoint(event.identifiers)
    )
