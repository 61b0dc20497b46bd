"""The person behind an identifier: all identifiers of the customer now, and the byte strings that name one of them."""

from collections.abc import Collection
from typing import Final, NamedTuple, Self

from pipeline.event.identifier import Identifier, value_of
from pipeline.identity.profile_id import profile_id

MIN_VALUE_BYTES: Final = 6
"""A shorter value also occurs by chance, so it is searched with its type only."""


class Person(NamedTuple):
    """One customer of a tenant."""

    tenant: str
    identifiers: tuple[Identifier, ...]
    profile_ids: tuple[str, ...]
    """The profile ids that these identifiers found, current and former."""
    needles: tuple[bytes, ...]
    """Lower-case byte strings of which a record that names an identifier of the person holds at least one."""

    @classmethod
    def of(cls, tenant: str, identifiers: Collection[Identifier]) -> Self:
        """Returns the person with these identifiers."""
        profiles = tuple(profile_id(tenant, ident) for ident in identifiers)
        texts = {text for ident in identifiers for text in (ident, value_of(ident))}
        long_enough = {text.encode().lower() for text in texts if ":" in text or len(text.encode()) >= MIN_VALUE_BYTES}
        return cls(tenant, tuple(identifiers), profiles, tuple(sorted(long_enough)))

    def is_named_in(self, content: bytes) -> bool:
        """Returns whether bytes hold an identifier of the person, whatever the case of letters."""
        lower = content.lower()
        return any(needle in lower for needle in self.needles)

    def has_profile_in(self, content: bytes) -> bool:
        """Returns whether bytes hold a profile id of the person, current or former."""
        return any(profile.encode() in content for profile in self.profile_ids)
