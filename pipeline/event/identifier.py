"""Identifiers: one string, ``type:value``, which is hashable, sortable and easy to type at the command line."""

from typing import TypeAlias

Identifier: TypeAlias = str
"""``type:value`` with the value normalised. The type never contains a colon; the value may."""

ANCHOR_SEPARATOR = "/"


def identifier(kind: str, value: str) -> Identifier:
    """Returns the identifier of a type and a normalised value."""
    return f"{kind}:{value}"


def type_of(ident: Identifier) -> str:
    """Returns the part before the first colon."""
    return ident.partition(":")[0]


def value_of(ident: Identifier) -> str:
    """Returns the part after the first colon."""
    return ident.partition(":")[2]


def key_of(tenant: str, ident: Identifier) -> str:
    """Returns ``tenant/type:value``: the Kafka key of events and assignments, and the key of their state rows.

    Tenants are ``[a-z0-9][a-z0-9_-]*``, so the first slash always ends the tenant.
    """
    return f"{tenant}{ANCHOR_SEPARATOR}{ident}"


def is_identifier(text: str) -> bool:
    """Returns whether the text has a type and a value."""
    return 0 < text.find(":") < len(text) - 1


def split_key(key: str) -> tuple[str, Identifier]:
    """Returns the tenant and the identifier of a key made by :func:`key_of`."""
    tenant, _, ident = key.partition(ANCHOR_SEPARATOR)
    return tenant, ident
