"""The receipt of an erasure: each place, its proof, and the time until which the brokers hold what is left.

A receipt holds no identifier: only their types, counts and digests.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.event.identifier import type_of
from pipeline.event.instant import format_instant
from pipeline.kafka.reading import Progress
from pipeline.privacy.person import Person
from pipeline.privacy.progress import RequestProgress
from pipeline.privacy.retention import Retention, retentions
from pipeline.privacy.search import Found, TopicSearch
from pipeline.privacy.tenancy import is_own
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.topics import ALL


class TopicLeft(msgspec.Struct):
    """The records of a topic that still name the person."""

    topic: str
    is_compacted: bool
    records: int = 0
    """Those that hold an identifier or a profile id."""
    identified: int = 0
    """Those that hold an identifier."""
    offsets: dict[int, tuple[int, int]] = {}
    """By partition, the first and the last offset."""
    newest_ms: int = 0
    """Time of the newest of them, in ms since 1970."""
    cleared_by: str | None = None
    """Time after which none is left, ISO 8601; None if there is none, or the topic's configuration sets no limit."""
    current: int = 0
    """On a compacted topic: keys whose newest record holds an identifier. Anything above 0 is a defect, except on
    ``crm.ledger`` until the sink has run, and on ``crm.readers`` until the pull of the connection has."""
    foreign: int = 0
    """Records of other tenants that hold an identifier. All other counts leave them out."""


def topics_left(found: Iterable[Found], search: TopicSearch, retention: dict[str, Retention]) -> list[TopicLeft]:
    """Returns what the records of an ended search are: by topic, in the order of the search.

    Records of other tenants, which know the same person, are counted apart: they are not part of the erasure.
    """
    result: dict[str, TopicLeft] = {}
    for record in found:
        message, name = record.message, record.message.topic() or ""
        left = result.setdefault(name, TopicLeft(name, retention[name].is_compacted))
        if record.is_foreign:
            left.foreign += 1
            continue
        partition, offset = message.partition() or 0, message.offset() or 0
        left.records += 1
        first, _ = left.offsets.get(partition, (offset, offset))
        left.offsets[partition] = (first, offset)
        left.newest_ms = max(left.newest_ms, message.timestamp()[1])
        left.identified += record.is_identified
        left.current += left.is_compacted and search.is_current(record)
    for left in result.values():
        cleared_ms = retention[left.topic].cleared_ms(left.newest_ms) if left.records else None
        left.cleared_by = None if cleared_ms is None else format_instant(cleared_ms)
    return list(result.values())


def searched_receipt(
    settings: Settings,
    rules: Rules,
    person: Person,
    progress: RequestProgress,
    reading: Progress,
    *,
    own_tenant: bool = False,
) -> dict[str, Any]:
    """Searches all topics for what is left of a person and returns the receipt.

    ``own_tenant``: do not count records that may be another tenant's, as for a caller that may see one tenant only.

    Raises:
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    search = TopicSearch(settings, rules)
    found = [record for record in search.records(person, reading) if not own_tenant or is_own(person, record)]
    names = [topic.of(settings.topic_prefix) for topic in ALL]
    return receipt_of(person, progress, topics_left(found, search, retentions(settings, names)))


class LogLimit(msgspec.Struct, frozen=True):
    """Until when a topic may hold records from before a request."""

    topic: str
    is_compacted: bool
    cleared_by: str | None
    """ISO 8601; None if the topic's configuration sets no limit."""


def log_limits(settings: Settings, progress: RequestProgress) -> list[LogLimit]:
    """Returns the limit of each topic, from its configuration alone: for a request whose topics were not searched.

    Raises:
        confluent_kafka.KafkaException: the broker did not answer or refused.
    """
    last_ms = max([progress.requested_ms, *(stage.finished_ms for stage in progress.stages)])
    known = retentions(settings, [topic.of(settings.topic_prefix) for topic in ALL])
    cleared = {name: retention.cleared_ms(last_ms) for name, retention in known.items()}
    return [
        LogLimit(name, known[name].is_compacted, None if cleared_ms is None else format_instant(cleared_ms))
        for name, cleared_ms in cleared.items()
    ]


def receipt_of(person: Person, progress: RequestProgress, left: list[TopicLeft] | None) -> dict[str, Any]:
    """Returns the receipt as a JSON object. ``left`` None: the topics were not searched."""
    limits = [topic.cleared_by for topic in left or () if topic.records]
    return {
        "request": progress.request,
        "tenant": progress.tenant,
        "requested_at": format_instant(progress.requested_ms),
        "identifiers": dict(Counter(map(type_of, person.identifiers))),
        "digests": progress.digests,
        "complete": progress.is_complete and not any(topic.current for topic in left or ()),
        "state": [msgspec.to_builtins(stage) for stage in progress.stages],
        "topics": None if left is None else [msgspec.to_builtins(topic) for topic in left],
        "cleared_by": None if None in limits else max((limit for limit in limits if limit), default=None),
    }
