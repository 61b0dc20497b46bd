"""Masks personal data in answers to keys without the scope ``read:pii``.

Masked are values of identifiers, of traits and of contact fields, details of events, and whatever an event's sender can
write freely. Ids of profiles, types of identifiers, times, counters, scores, segments and names of events stay.

>>> masked({"identifiers": ["email:ada@example.org"], "traits": {"plan": "gold"}, "grade": "A1"})
{'identifiers': ['email:***'], 'traits': {'plan': '***'}, 'grade': 'A1'}
"""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.event.identifier import type_of
from pipeline.obs.redact import IDENTIFIER_TYPES

MASK: Final = "***"
_IDENTIFIERS: Final = frozenset({
    "identifiers", "anchors", "identifier", "founder", "shared", "start", "end", "strong", "weak", "id", "requested",
})  # fmt: skip
"""Fields with identifiers: as a text, in a list, or as the names of an object."""
_VALUES: Final = frozenset({
    *IDENTIFIER_TYPES,
    "traits", "contact", "account_id", "actor", "why", "summary", "detail", "cart", "owner_reason", "referrer",
    "fields",
})  # fmt: skip
"""Fields whose values are masked at any depth; names inside stay."""
_ACCOUNTS: Final = "accounts"
"""The field whose names are ids of accounts."""


def masked(value: Any, field: str = "") -> Any:
    """Returns JSON values with personal data masked."""
    if field in _VALUES:
        return _blank(value)
    if field == _ACCOUNTS and isinstance(value, Mapping):
        return {f"{MASK}{number}": _blank(item) for number, item in enumerate(value.values(), 1)}
    if field in _IDENTIFIERS:
        return _without_value(value)
    if isinstance(value, Mapping):
        return {name: masked(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value


def _without_value(value: Any) -> Any:
    """Keeps the type of identifiers. An object's names may be identifiers: they are numbered, so that none is lost."""
    if isinstance(value, str):
        return f"{type_of(value)}:{MASK}" if ":" in value else value
    if isinstance(value, Mapping):
        numbered = enumerate(value.items(), 1)
        return {f"{type_of(name)}:{MASK}{number}": masked(item) for number, (name, item) in numbered}
    if isinstance(value, list | tuple):
        return [_without_value(item) for item in value]
    return value


def _blank(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _blank(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_blank(item) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else MASK
