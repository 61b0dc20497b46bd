"""Marks: which identifiers were erased or refused, without naming them.

A mark is stored under a digest of tenant and identifier. Everything about an erased identifier that is older than its
mark has no effect any more: events and links by event time, moves and ledgers by STITCH's number of the decision.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from pipeline.event.alias import previous_user
from pipeline.event.anchor import NO_ASSIGNMENT, AnchorRow
from pipeline.event.identifier import Identifier, key_of
from pipeline.event.link import NEVER
from pipeline.event.model import Event
from pipeline.event.reason import Reason
from pipeline.event.result import Drop

DIGEST_BYTES: Final = 16
NO_DECISION: Final = -1
ADMIT, STRIP, REFUSE = 0, 1, 2
"""How INTAKE treats later events with an identifier: takes it, removes it from the event, refuses the whole event."""
MarkKind: TypeAlias = Literal["erase", "opt_out", "opt_in"]


class Marking(Struct, array_like=True, gc=False, tag="marking", tag_field="record"):
    """One decision about all identifiers of a customer, as STITCH sends it to every partition."""

    tenant: str
    request: str
    """Id of the request, which receipts repeat."""
    kind: MarkKind
    seq: int
    """STITCH's number of the decision."""
    at_ms: int
    """Time of the request in ms since 1970."""
    people: list[bytes]
    """Digests of identifiers that name people."""
    others: list[bytes]
    """Digests of devices, cookies and other identifiers."""
    source: str = ""
    """The PROFILE partition that passed it on to ROUTE; else empty."""


class Mark(Struct, array_like=True, gc=False):
    """What is decided about one identifier."""

    erased_seq: int = NO_DECISION
    erased_ms: int = NEVER
    """Events up to this time, in ms since 1970, have no effect."""
    admission_seq: int = NO_DECISION
    admission: int = ADMIT

    def apply(self, marking: Marking, *, names_person: bool) -> None:
        """Applies a decision. The order of decisions does not matter."""
        if marking.kind == "erase":
            self.erased_seq = max(self.erased_seq, marking.seq)
            self.erased_ms = max(self.erased_ms, marking.at_ms)
        elif marking.seq > self.admission_seq:
            refusal = REFUSE if names_person else STRIP
            self.admission_seq, self.admission = marking.seq, ADMIT if marking.kind == "opt_in" else refusal


class Marks(Protocol):
    """The marks that one partition knows."""

    def __len__(self) -> int:
        """Returns the number of marks. Callers test for 0 before they look at each event."""
        ...

    def of(self, tenant: str, ident: Identifier) -> Mark | None:
        """Returns the mark of an identifier, or None."""
        ...


class MarkTable(dict[bytes, Mark]):
    """Marks by digest. Implements :class:`Marks`. One thread notes decisions, any thread may read.

    It is a dict, because every event tests several times whether there is any mark.
    """

    def of(self, tenant: str, ident: Identifier) -> Mark | None:
        """Returns the mark of an identifier, or None."""
        return self.get(digest_of(tenant, ident))

    def note(self, marking: Marking) -> dict[bytes, Mark]:
        """Applies a decision. Returns the marks of its identifiers by digest."""
        noted: dict[bytes, Mark] = {}
        for names_person, digests in ((True, marking.people), (False, marking.others)):
            for digest in digests:
                mark = noted[digest] = self.setdefault(digest, Mark())
                mark.apply(marking, names_person=names_person)
        return noted


class PartitionMarks(Protocol):
    """All marks of a partition, and those that its rows may be older than."""

    @property
    def known(self) -> Marks:
        """All marks: messages that are older than one have no effect."""
        ...

    @property
    def unswept(self) -> Marks:
        """The marks of erasures whose sweep has not ended: rows are cleaned when they are read."""
        ...


class NoMarks:
    """Marks of a deployment in which nothing was ever erased or refused."""

    @property
    def known(self) -> Marks:
        """Returns no marks."""
        return self

    @property
    def unswept(self) -> Marks:
        """Returns no marks."""
        return self

    def __len__(self) -> int:
        """Returns 0."""
        return 0

    def of(self, tenant: str, ident: Identifier) -> None:
        """Returns None."""


NO_MARKS: Final = NoMarks()


def digest_of(tenant: str, ident: Identifier) -> bytes:
    """Returns the digest under which the mark of an identifier is stored.

    >>> digest_of("default", "email:ann@shop.example").hex()
    '58f50c9174d6da080e74979faae9b367'
    """
    return blake2b(key_of(tenant, ident).encode(), digest_size=DIGEST_BYTES).digest()


def is_erased(mark: Mark | None, at_ms: int) -> bool:
    """Returns whether an event of this time about the marked identifier has no effect any more."""
    return mark is not None and at_ms <= mark.erased_ms


def admit(event: Event, marks: Marks) -> Drop | None:
    """Applies the marks to a normalised event. Removes marked identifiers in place, or returns why it is dropped.

    An event is dropped if its anchor was erased after it, or if one of its identifiers that name people is refused.
    """
    kept: list[Identifier] = []
    for place, ident in enumerate(event.identifiers):
        mark = marks.of(event.tenant, ident)
        if mark is None:
            kept.append(ident)
            continue
        if mark.admission == REFUSE or (mark.admission == STRIP and not place):
            return Drop(Reason.SUPPRESSED)
        if is_erased(mark, event.timestamp_ms):
            if not place:
                return Drop(Reason.ERASED)
        elif mark.admission == ADMIT:
            kept.append(ident)
    event.identifiers = kept
    previous = previous_user(event)
    is_about_erased = bool(previous) and is_erased(marks.of(event.tenant, previous), event.timestamp_ms)
    return Drop(Reason.ERASED) if is_about_erased else None


def cleaned_anchor(tenant: str, ident: Identifier, row: AnchorRow, marks: Marks) -> AnchorRow | None:
    """Returns an anchor's row without what was erased: the row itself, a smaller one, or None."""
    mark = marks.of(tenant, ident)
    if mark is not None and _is_older(row, mark):
        return None
    links = _erased(tenant, ((other, link.first_ms) for other, link in row.links.items()), marks)
    aliases = _erased(tenant, ((other, alias.first_ms) for other, alias in row.aliases.items()), marks)
    contested = {other for other in row.contested if row.seq <= _erased_seq(marks.of(tenant, other))}
    if not (links or aliases or contested):
        return row
    return AnchorRow(
        row.version,
        row.profile_id,
        row.seq,
        [other for other in row.contested if other not in contested],
        {other: link for other, link in row.links.items() if other not in links},
        row.first_ms,
        {other: alias for other, alias in row.aliases.items() if other not in aliases},
    )


def _is_older(row: AnchorRow, mark: Mark) -> bool:
    """Returns whether a row of an erased identifier holds anything from before the erasure."""
    if row.seq != NO_ASSIGNMENT:
        return row.seq <= mark.erased_seq
    if row.first_ms != NEVER:
        return row.first_ms <= mark.erased_ms
    return all(alias.first_ms <= mark.erased_ms for alias in row.aliases.values())


def _erased_seq(mark: Mark | None) -> int:
    return NO_DECISION - 1 if mark is None else mark.erased_seq


def _erased(tenant: str, seen: Iterable[tuple[Identifier, int]], marks: Marks) -> set[Identifier]:
    """Returns the identifiers that were erased after they were first seen."""
    return {ident for ident, at_ms in seen if is_erased(marks.of(tenant, ident), at_ms)}
