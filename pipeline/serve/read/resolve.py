"""Finds the profile that an identifier or an id stands for now."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, bindparam, func, select

from pipeline.identity.profile_id import profile_id
from pipeline.profile.row import ACTIVE
from pipeline.query.naming import Naming, NotAnIdentifierError, is_profile_id
from pipeline.serve.model.tables import TEXT, identifiers, nodes, profiles
from pipeline.serve.read.prepared import Prepared

MAX_MERGES: Final = 10_000
"""Merges that one id is followed through."""


_COLUMNS: Final = (
    profiles.c.profile_id, profiles.c.version, profiles.c.body, profiles.c.status, profiles.c.merged_into
)  # fmt: skip
_OF_TENANT: Final = select(*_COLUMNS).where(profiles.c.tenant == bindparam("tenant"))
_ASSIGNED: Final = (
    select(identifiers.c.profile_id)
    .where(identifiers.c.tenant == bindparam("tenant"), identifiers.c.identifier == bindparam("ident"))
    .scalar_subquery()
)
_BY_ID: Final = Prepared(_OF_TENANT.where(profiles.c.profile_id == bindparam("wanted")))
_BY_IDENTIFIER: Final = Prepared(
    _OF_TENANT.where(profiles.c.profile_id == func.coalesce(_ASSIGNED, bindparam("own", type_=TEXT)))
)


class Found(msgspec.Struct, frozen=True):
    """The current profile of a requested identifier or id."""

    profile_id: str
    tenant: str
    version: int
    body: bytes
    """The profile as JSON text."""
    requested_id: str = ""
    """The id that was requested if it was merged into this profile, else ""."""


def find_profile(connection: Connection, naming: Naming, tenant: str, text: str) -> Found | None:
    """Returns the current profile of ``type:value`` or of a profile id, current or former; None if there is none.

    Raises:
        NotAnIdentifierError: the text is neither an identifier nor a profile id.
    """
    if "\0" in text:
        message = "an identifier has no zero bytes"
        raise NotAnIdentifierError(message)
    if is_profile_id(text.lower()):
        wanted = text.lower()
        published = _BY_ID.first(connection, tenant=tenant, wanted=wanted)
        found = _followed(connection, tenant, published) or _of_name(connection, tenant, wanted)
        return found if found is None or found.profile_id == wanted else found_as(found, wanted)
    return find_by_identifier(connection, tenant, naming.identifier(text))


def find_by_identifier(connection: Connection, tenant: str, ident: str) -> Found | None:
    """Returns the current profile of a normalised identifier."""
    row = _BY_IDENTIFIER.first(connection, tenant=tenant, ident=ident, own=profile_id(tenant, ident))
    return _followed(connection, tenant, row)


def found_as(found: Found, requested_id: str) -> Found:
    """Returns the profile with the id that was requested."""
    return msgspec.structs.replace(found, requested_id=requested_id)


def _followed(connection: Connection, tenant: str, row: Row[Any] | None) -> Found | None:
    """Follows merges from a row to that of the active profile."""
    seen: set[str] = set()
    while row is not None:
        wanted, version, body, status, merged_into = tuple(row)
        if status == ACTIVE:
            return Found(wanted, tenant, version, bytes(body))
        seen.add(wanted)
        if not merged_into or merged_into in seen or len(seen) > MAX_MERGES:
            return None
        row = _BY_ID.first(connection, tenant=tenant, wanted=merged_into)
    return None


def _of_name(connection: Connection, tenant: str, wanted: str) -> Found | None:
    """Returns the current profile of an id that was never published: its identifier was merged before that."""
    for column in (nodes.c.own_id, nodes.c.apart_id):
        ident = connection.execute(
            select(nodes.c.identifier).where(column == wanted, nodes.c.tenant == tenant)
        ).scalar()
        if ident is not None:
            return find_by_identifier(connection, tenant, ident)
    return None
