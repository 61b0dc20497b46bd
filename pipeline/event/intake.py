"""INTAKE's logic: one event in, what is to be done about it out. The stage performs it.

The walk of an event: accept, re-key check, de-duplicate, attribute, filter known links.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Protocol, TypeAlias

from msgspec import Struct

from pipeline.event import known_links
from pipeline.event.accept import Acceptor
from pipeline.event.anchor import AnchorRow
from pipeline.event.identifier import Identifier, key_of, type_of
from pipeline.event.link import Link
from pipeline.event.model import Event
from pipeline.event.ports import SeenIds, Table
from pipeline.event.reason import Reason
from pipeline.event.recognise import Normalisers
from pipeline.event.result import Drop, Redirect, Rejected
from pipeline.event.rules import IdentifierType, IntakeRules

DUPLICATE = Drop(Reason.DUPLICATE)
_EMPTY_HASH = blake2b(digest_size=8)


class Assigned(Protocol):
    """What INTAKE reads of STITCH's assignment of an identifier."""

    @property
    def profile_id(self) -> str:
        """Whose it is."""
        ...

    @property
    def seq(self) -> int:
        """Rises with every decision about the identifier; at least 0."""
        ...

    @property
    def contested(self) -> list[Identifier]:
        """Identifiers whose links with this one STITCH wants to hear of each time they are seen later."""
        ...


class IntakeEffects(Struct, gc=False):
    """One accepted event, to be booked under its anchor ``event.identifiers[0]``."""

    event: Event
    """Normalised, the same object that came in."""
    profile_id: str | None
    """The anchor's profile as STITCH last said; None: nothing yet, the anchor founds its own."""
    links: list[Link]
    """To be told to STITCH; mostly empty."""


Result: TypeAlias = IntakeEffects | Drop | Rejected | Redirect
"""How taking one event can end: the closed set that the stage matches on."""


def any_partition(_key: str) -> bool:
    """The partition check of a log with one partition."""
    return True


class Intake:
    """Decides about events of one partition, over its two tables. No clock: ``now_ms`` comes with each event."""

    def __init__(
        self,
        rules: IntakeRules,
        types: Iterable[IdentifierType],
        normalisers: Normalisers,
        anchors: Table[AnchorRow],
        seen: SeenIds,
        *,
        partition_is_right: Callable[[str], bool] = any_partition,
    ) -> None:
        self._rules = rules
        self._accept = Acceptor(rules, types, normalisers).accept
        self._anchors = anchors
        self._seen = seen
        self._partition_is_right = partition_is_right

    def on_event(self, event: Event, *, key: str, now_ms: int, size_bytes: int = 0, rekeyed: bool = False) -> Result:
        """Take one event that was read under ``key``; ``rekeyed`` if its headers say it was redirected before.

        1. accept: validate (size, domains, clock) and normalise in place; else Rejected.
        2. re-key check: not under its anchor's key or partition: Redirect, the second time Rejected.
        3. de-duplicate: Drop if its message id was taken within the window. After 1-2, so that a bad event is
           quarantined each time, and a redirected one is new where it arrives.
        4. attribute to the anchor's profile.
        5. filter known links: pass on only what can change who is who.
        """
        # 1. accept
        accepted = self._accept(event, now_ms, size_bytes)
        if isinstance(accepted, Rejected):
            return accepted
        # 2. re-key check; a row is only ever made on the right partition, so most events skip the hashing
        identifiers = event.identifiers
        anchor = identifiers[0]
        home = key_of(event.tenant, anchor)
        row = self._anchors.get(home)
        if key != home or (row is None and not self._partition_is_right(home)):
            return _misplaced(anchor, home, rekeyed)
        # 3. de-duplicate
        if not self._seen.add(digest_of(event), event.timestamp_ms):
            return DUPLICATE
        # 4. attribute
        first_sight = row is None
        if row is None:
            row = AnchorRow()
        # 5. filter known links
        links: list[Link] = []
        older = row.note(event.timestamp_ms)
        if older and row.links:
            links = known_links.pass_all(event.tenant, anchor, row)
        if len(identifiers) > 1:
            links += known_links.observe(event, row, self._rules.link_refresh_ms)
            if len(row.links) > self._rules.known_links_cap:
                links += known_links.evict_excess(event.tenant, anchor, row, self._rules.known_links_cap)
            self._anchors.put(home, row)
        elif older or first_sight:
            self._anchors.put(home, row)
        return IntakeEffects(event, row.profile_id, links)

    def on_assignment(self, tenant: str, ident: Identifier, assigned: Assigned) -> list[Link]:
        """Note whose an identifier is; the highest ``seq`` wins. Returns links to tell STITCH.

        Those are links that have become contested and were seen since they were passed on: had the assignment come
        earlier, they would have been passed then.
        """
        key = key_of(tenant, ident)
        row = self._anchors.get(key) or AnchorRow()
        if assigned.seq <= row.seq:
            return []
        row.profile_id, row.seq, row.contested = assigned.profile_id, assigned.seq, list(assigned.contested)
        links = known_links.pass_contested(tenant, ident, row)
        self._anchors.put(key, row)
        return links


def digest_of(event: Event) -> bytes:
    """Eight bytes that stand for (tenant, source, message id) in the de-duplication window."""
    hashing = _EMPTY_HASH.copy()  # a third cheaper than setting a new one up
    hashing.update(f"{event.tenant}\0{event.source}\0{event.message_id}".encode())
    return hashing.digest()


def _misplaced(anchor: Identifier, home: str, rekeyed: bool) -> Redirect | Rejected:
    if rekeyed:
        detail = f"re-keyed once by its {type_of(anchor)} and still not under that key and on its partition"
        return Rejected(Reason.MISROUTED, detail)
    return Redirect(Reason.REKEYED, home)
