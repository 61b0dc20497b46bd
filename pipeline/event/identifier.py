"""An identifier is one string, ``type:value``: hashable, sortable, and the text people type at the command line."""

from typing import TypeAlias

Identifier: TypeAlias = str
"""``type:value`` with the value normalised. The type never contains a colon; the value may."""

ANCHOR_SEPARATOR = "/"


def identifier(kind: str, value: str) -> Identifier:
    """The identifier of a type and an already normalised value."""
    return f"{kind}:{value}"


def type_of(ident: Identifier) -> str:
    """The part before the first colon."""
    return ident.partition(":")[0]


def value_of(ident: Identifier) -> str:
    """The part after the first colon."""
    return ident.partition(":")[2]


def key_of(tenant: str, ident: Identifier) -> str:
    """``tenant/type:value``: the Kafka key of events and assignments, and the key of their state rows.

    Tenants are ``[a-z0-9][a-z0-9_-]*``, so the first slash always ends the tenant.
    """
    return f"{tenant}{ANCHOR_SEPARATOR}{ident}"


def is_identifier(text: str) -> bool:
    """Whether the text has a type and a value."""
    return 0 < text.find(":") < len(text) - 1


def split_key(key: str) -> tuple[str, Identifier]:
    """The tenant and identifier of a :func:`key_of`."""
    tenant, _, ident = key.partition(ANCHOR_SEPARATOR)
    return tenant, ident
