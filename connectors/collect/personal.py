"""Personal fields of a source: removed, or replaced by a keyed hash, before an event is stored."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final, TypeAlias

from msgspec.json import encode

from connectors.collect.dialects.parsed import Document

FieldPath: TypeAlias = tuple[str, ...]

_TRAITS: Final = "traits"


class PersonalFields:
    """Removes and hashes fields of documents in place."""

    def __init__(self, drop: Iterable[str], hashed: Iterable[str], key: bytes) -> None:
        """Fields are named as in ``traits.email``. ``key`` is that of the hashes."""
        self._drop = [path for name in drop for path in _paths(name)]
        self._hash = [path for name in hashed for path in _paths(name)]
        self._key = key

    def remove(self, document: Document) -> None:
        """Applies both lists. A field that is an object or a list is hashed as a whole."""
        for path in self._drop:
            parent = _parent(document, path)
            if parent is not None:
                parent.pop(path[-1], None)
        for path in self._hash:
            parent = _parent(document, path)
            if parent is not None and parent.get(path[-1]) not in (None, ""):
                parent[path[-1]] = self._hashed(parent[path[-1]])

    def _hashed(self, value: Any) -> str:
        try:
            text = value if isinstance(value, str) else encode(value, order="deterministic").decode()
        except (OverflowError, ValueError, RecursionError):  # integers of more than 64 bits
            text = repr(value)
        return hmac.new(self._key, text.encode(errors="replace"), sha256).hexdigest()


def _paths(name: str) -> list[FieldPath]:
    """Returns the places of a field. Traits are also sent in the context, and as those that are set once."""
    path = tuple(name.split("."))
    if path[0] != _TRAITS:
        return [path]
    return [path, ("context", *path), (_TRAITS, "$set_once", *path[1:]), ("properties", "$set_once", *path[1:])]


def _parent(document: Document, path: FieldPath) -> Document | None:
    parent: Any = document
    for name in path[:-1]:
        parent = parent.get(name) if isinstance(parent, dict) else None
    return parent if isinstance(parent, dict) else None
