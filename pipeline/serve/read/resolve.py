"""Finds the profile that an identifier or an id stands for now."""

from typing import Final

import msgspec
from sqlalchemy import Connection, select

from pipeline.identity.profile_id import profile_id
from pipeline.profile.row import ACTIVE
from pipeline.query.naming import Naming, NotAnIdentifierError, is_profile_id
from pipeline.serve.model.tables import identifiers, nodes, profiles

MAX_MERGES: Final = 10_000
"""Merges that one id is followed through."""


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
        found = _current(connection, tenant, wanted) or _of_name(connection, tenant, wanted)
        return found if found is None or found.profile_id == wanted else found_as(found, wanted)
    return find_by_identifier(connection, tenant, naming.identifier(text))


def find_by_identifier(connection: Connection, tenant: str, ident: str) -> Found | None:
    """Returns the current profile of a normalised identifier."""
    assigned = connection.execute(
        select(identifiers.c.profile_id).where(identifiers.c.tenant == tenant, identifiers.c.identifier == ident)
    ).scalar()
    return _current(connection, tenant, assigned or profile_id(tenant, ident))


def found_as(found: Found, requested_id: str) -> Found:
    """Returns the profile with the id that was requested."""
    return msgspec.structs.replace(found, requested_id=requested_id)


def _current(connection: Connection, tenant: str, wanted: str) -> Found | None:
    """Follows merges from a profile id to the active profile."""
    columns = (profiles.c.profile_id, profiles.c.tenant, profiles.c.version, profiles.c.body)
    query = select(*columns, profiles.c.status, profiles.c.merged_into)
    seen: set[str] = set()
    while wanted and wanted not in seen and len(seen) < MAX_MERGES:
        seen.add(wanted)
        row = connection.execute(query.where(profiles.c.profile_id == wanted, profiles.c.tenant == tenant)).first()
        if row is None:
            return None
        if row.status == ACTIVE:
            return Found(row.profile_id, row.tenant, row.version, row.body)
        wanted = row.merged_into
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
