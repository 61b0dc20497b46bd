"""Removes erased people from what a puller remembers of a CRM.

STITCH's mark of an erasure holds digests of identifiers, and the id of a contact or lead is one of them. Objects whose
id STITCH never saw, because only the sink has written them, are known from the ledger row that the erasure has emptied.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import msgspec

from connectors.sources.crm.change import PEOPLE, Change, Fate, ObjectKind
from connectors.sources.crm.seen import Seen, Written
from pipeline.event.erasure import Marking, digest_of
from pipeline.event.identifier import Identifier

CURSOR: Final = "erasures"
"""The stream whose cursor is STITCH's number of the last erasure that was removed."""
NEVER: Final = -1
CLOCK_TOLERANCE_MS: Final = 60_000
"""How far the CRM's clock, which dates changes, may be ahead of the one that dates our writes."""


class Erasures:
    """The erasures of one connection's tenant. ``identifier_of`` returns the identifier of an object by its id."""

    def __init__(self, tenant: str, identifier_of: Callable[[str], Identifier]) -> None:
        self._tenant, self._identifier_of = tenant, identifier_of
        self._erased_ms: dict[bytes, int] = {}
        """Digest of an identifier → time of its erasure."""
        self.newest = -1
        """STITCH's number of the newest erasure."""

    def note(self, markings: Iterable[Marking]) -> None:
        """Takes decisions over. Ignores those of other tenants, and refusals, which erase nothing."""
        for marking in markings:
            if marking.kind == "erase" and marking.tenant == self._tenant:
                for digest in (*marking.people, *marking.others):
                    self._erased_ms[digest] = max(marking.at_ms, self._erased_ms.get(digest, 0))
                self.newest = max(self.newest, marking.seq)

    def without(self, change: Change, before: Seen | None, written: Sequence[Written]) -> Change | None:
        """Returns a change without people that were erased after it; None if it is about such a person.

        A reader returns changes again, and the CRM reports the deletion of an erased person later than the erasure.
        So it reports the sink's own write (``written``) that empties the fields of an object that the CRM keeps.
        """
        if change.kind in PEOPLE:
            until_ms = self._time_of(change.id)
            if before is not None or until_ms == NEVER:
                return change
            own_ms = max((row.at_ms + CLOCK_TOLERANCE_MS for row in written if row.at_ms >= until_ms), default=NEVER)
            is_old = change.modified_ms <= max(until_ms, own_ms) or change.fate is Fate.DELETED
            return None if is_old else change
        kept = tuple(one for one in change.people if change.modified_ms > self._time_of(one.id))
        return change if len(kept) == len(change.people) else msgspec.structs.replace(change, people=kept)

    def cleaned(self, seen: Seen, gone: Collection[str]) -> Seen | None:
        """Returns a row without erased people: the row itself, a smaller one, or None. ``gone`` are ids of objects."""

        def is_erased(object_id: str) -> bool:
            return bool(object_id) and (object_id in gone or self._time_of(object_id) > NEVER)

        if seen.kind in PEOPLE:
            return None if is_erased(seen.id) or is_erased(seen.into) else seen
        if seen.kind is ObjectKind.DEAL and is_erased(seen.person):
            return msgspec.structs.replace(seen, person="")
        return seen

    def _time_of(self, object_id: str) -> int:
        """Returns the time at which an object was erased, in ms since 1970; ``NEVER`` if it was not."""
        ident = self._identifier_of(object_id) if self._erased_ms else ""
        return self._erased_ms.get(digest_of(self._tenant, ident), NEVER) if ident else NEVER
