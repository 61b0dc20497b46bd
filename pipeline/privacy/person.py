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
    """Lower-case byte strings of which a record about the person holds at least one, if it names the person at all."""

    @classmethod
    def of(cls, tenant: str, identifiers: Collection[Identifier]) -> Self:
        """Returns the person with these identifiers."""
        profiles = tuple(profile_id(tenant, ident) for ident in identifiers)
        texts = {text for ident in identifiers for text in (ident, value_of(ident))}
        long_enough = {text.encode().lower() for text in texts if ":" in text or len(text.encode()) >= MIN_VALUE_BYTES}
        return cls(tenant, tuple(identifiers), profiles, tuple(sorted({*long_enough, *(p.encode() for p in profiles)})))

    def is_named_in(self, content: bytes) -> bool:
        """Returns whether bytes name the person, whatever the case of letters."""
        lower = content.lower()
        return any(needle in lower for needle in self.needles)
