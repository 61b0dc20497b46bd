"""Validation of events: size, domains of the fields, and event time against the clock."""

import re
from functools import lru_cache
from typing import Any, Final

from pipeline.event.model import CHANNELS, TYPES, Event
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected
from pipeline.event.rules import IntakeRules
from pipeline.event.wide_integers import MAX_INT, MIN_INT, write_wide_integers

MAX_TENANT_CHARS: Final = 64
MAX_SOURCE_CHARS: Final = 128
MAX_MESSAGE_ID_CHARS: Final = 256
MAX_NAME_CHARS: Final = 256

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_CHANNELS: Final = frozenset(CHANNELS)
_TYPES: Final = frozenset(TYPES)


def validate(event: Event, rules: IntakeRules, now_ms: int, size_bytes: int = 0) -> Rejected | None:
    """Returns None if the event is valid, else the reason and a detail that names the field and never its value.

    ``size_bytes`` is the length of the encoded event. The fields must have their declared types, as the readers
    of Avro and JSON guarantee. Checks in this order: size, names, time, identifiers, bags. Integers of more than 64
    bits in a bag do not invalidate the event: they become decimal text, in place.
    """
    if size_bytes > rules.max_event_bytes:
        detail = f"the event has {size_bytes} bytes, the limit is {rules.max_event_bytes}"
        return Rejected(Reason.TOO_LARGE, detail)
    message_id = event.message_id
    if not (
        0 < len(message_id) <= MAX_MESSAGE_ID_CHARS
        and message_id.isprintable()
        and _good_names(event.tenant, event.source, event.type, event.channel, event.name)
    ):
        return _bad_name(event)
    age_ms = now_ms - event.timestamp_ms
    if age_ms < -rules.future_tolerance_ms:
        return Rejected(Reason.FROM_THE_FUTURE, f"timestamp: {-age_ms} ms ahead of the clock")
    if age_ms > rules.retention_ms:
        return Rejected(Reason.TOO_OLD, f"timestamp: {age_ms} ms old, the limit is {rules.retention_ms}")
    if not 0 < len(event.identifiers) <= rules.max_identifiers:
        return _bad_count(event, rules)
    limit, depth = rules.max_fields, rules.max_depth
    for bag in (event.properties, event.context, event.traits):
        if bag and (len(bag) > limit or not _storable(bag, depth)):
            return _contain_bags(event, rules)
    return None


@lru_cache(maxsize=1 << 12)
def is_tenant(text: str) -> bool:
    """Returns whether the text is a valid name of a tenant."""
    return len(text) <= MAX_TENANT_CHARS and _TENANT.fullmatch(text) is not None


@lru_cache(maxsize=1 << 12)
def _good_origin(tenant: str, source: str) -> bool:
    """Returns whether both are valid. Neither may contain a slash, which ends them in keys and event ids."""
    return is_tenant(tenant) and 0 < len(source) <= MAX_SOURCE_CHARS and "/" not in source and source.isprintable()


@lru_cache(maxsize=1 << 12)
def _good_names(tenant: str, source: str, kind: str, channel: str, name: str) -> bool:
    """Returns whether the names are valid. One cached look-up is enough: few combinations occur, and they repeat."""
    return _good_origin(tenant, source) and kind in _TYPES and channel in _CHANNELS and len(name) <= MAX_NAME_CHARS


def _storable(value: Any, depth: int) -> bool:
    """Returns whether a JSON value can be stored: integers of 64 bits, nested at most ``depth`` levels."""
    if depth < 0:
        return False
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind is str or kind is float:
            continue
        if kind is int:
            if not MIN_INT <= item <= MAX_INT:
                return False
        elif (kind is dict or kind is list) and not _storable(item, depth - 1):
            return False
    return True


def _bad_name(event: Event) -> Rejected:
    if not _good_origin(event.tenant, "any"):
        detail = f"tenant: must be [a-z0-9][a-z0-9_-]*, at most {MAX_TENANT_CHARS} characters"
    elif not _good_origin(event.tenant, event.source):
        detail = f"source: must be 1 to {MAX_SOURCE_CHARS} printable characters without a slash"
    elif event.type not in _TYPES:
        detail = f"type: must be one of {', '.join(TYPES)}"
    elif event.channel not in _CHANNELS:
        detail = f"channel: must be one of {', '.join(CHANNELS)}"
    elif len(event.name) > MAX_NAME_CHARS:
        detail = f"event: must have at most {MAX_NAME_CHARS} characters"
    else:
        detail = f"message_id: must be 1 to {MAX_MESSAGE_ID_CHARS} printable characters"
    return Rejected(Reason.INVALID_FIELD, detail)


def _bad_count(event: Event, rules: IntakeRules) -> Rejected:
    if not event.identifiers:
        return Rejected(Reason.NO_IDENTIFIER, "identifiers: at least one is needed")
    detail = f"identifiers: {len(event.identifiers)}, the limit is {rules.max_identifiers}"
    return Rejected(Reason.INVALID_FIELD, detail)


def _contain_bags(event: Event, rules: IntakeRules) -> Rejected | None:
    """Writes integers of more than 64 bits as text, in place. Returns Rejected if a bag is too large or too deep."""
    bags = {"properties": event.properties, "context": event.context, "traits": event.traits}
    for name, bag in bags.items():
        if len(bag) <= rules.max_fields and _storable(bag, rules.max_depth):
            continue
        write_wide_integers(bag)
        if len(bag) > rules.max_fields or not _storable(bag, rules.max_depth):
            limit = f"at most {rules.max_fields} fields, {rules.max_depth} levels"
            return Rejected(Reason.INVALID_FIELD, f"{name}: {limit}")
    return None
