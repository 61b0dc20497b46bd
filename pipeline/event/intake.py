"""INTAKE's logic: decides for each event which effects it has. The stage performs the effects.

The steps for an event: accept, re-key check, de-duplicate, apply marks, attribute, filter known links.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Protocol, TypeAlias

from msgspec import Struct

from pipeline.event import known_links
from pipeline.event.accept import Acceptor
from pipeline.event.alias import ALIAS, alias_links, copy_key, note_alias, previous_user
from pipeline.event.anchor import AnchorRow
from pipeline.event.erasure import NO_MARKS, Marks, admit
from pipeline.event.identifier import Identifier, key_of, type_of
from pipeline.event.link import Link
from pipeline.event.model import Event
from pipeline.event.ports import SeenIds, Table
from pipeline.event.reason import Reason
from pipeline.event.recognise import REMEMBERED, Normalisers
from pipeline.event.result import Drop, Redirect, Rejected
from pipeline.event.rules import IdentifierType, IntakeRules

DUPLICATE = Drop(Reason.DUPLICATE)
ALIAS_COPY = "\0alias"
_EMPTY_HASH = blake2b(digest_size=8)


class Assigned(Protocol):
    """The fields of STITCH's assignment that INTAKE reads."""

    @property
    def profile_id(self) -> str:
        """The profile that owns the identifier."""
        ...

    @property
    def seq(self) -> int:
        """Increases with every decision about the identifier; at least 0."""
        ...

    @property
    def contested(self) -> list[Identifier]:
        """Identifiers whose links with this one INTAKE must pass on at every later sighting."""
        ...


class IntakeEffects(Struct, gc=False):
    """The effects of one accepted event, which is booked under its anchor ``event.identifiers[0]``."""

    event: Event
    """The same object as the input, normalised."""
    profile_id: str | None
    """The anchor's profile by STITCH's last assignment. None: no assignment yet, the anchor founds its own profile."""
    links: list[Link]
    """Links to send to STITCH; mostly empty."""
    alias_key: str = ""
    """The key under which a copy of the event must be sent for :meth:`Intake.on_alias`; "" for nearly all events."""


Result: TypeAlias = IntakeEffects | Drop | Rejected | Redirect
"""The possible results for one event: the closed set that the stage matches on."""


def any_partition(_key: str) -> bool:
    """The partition check for a topic with one partition: every key belongs to it."""
    return True


class Intake:
    """Decides about the events of one partition, using its two tables. Reads no clock: callers pass ``now_ms``."""

    def __init__(
        self,
        rules: IntakeRules,
        types: Iterable[IdentifierType],
        normalisers: Normalisers,
        anchors: Table[AnchorRow],
        seen: SeenIds,
        *,
        partition_is_right: Callable[[str], bool] = any_partition,
        marks: Marks = NO_MARKS,
        remembered: int = REMEMBERED,
    ) -> None:
        """``remembered`` is that of :class:`~pipeline.event.normalise.EventNormaliser`."""
        types = tuple(types)
        self._attributes = frozenset(kind.name for kind in types if kind.must_agree)
        self._rules = rules
        self._accept = Acceptor(rules, types, normalisers, remembered).accept
        self._anchors = anchors
        self._seen = seen
        self._marks = marks
        self._partition_is_right = partition_is_right

    def on_event(self, event: Event, key: str, now_ms: int, size_bytes: int = 0, rekeyed: bool = False) -> Result:
        """Decides about one event that was read under ``key``. ``rekeyed``: its headers mark it as redirected before.

        1. Accept: validate (size, domains, clock) and normalise in place. Returns Rejected if that fails.
        2. Re-key check: if the event is not under its anchor's key or partition, returns Redirect, or Rejected if it
           was redirected before.
        3. De-duplicate: returns Drop if the message id was seen within the window.
        4. Apply marks: returns Drop if the customer was erased or refused; removes marked identifiers.
        5. Attribute the event to the anchor's profile.
        6. Filter known links: pass on only those that can change an assignment.
        """
        refused, row = self._accepted(event, key, now_ms, size_bytes, rekeyed)
        return refused or self._attribute(event, key, row)

    def accept(
        self, event: Event, key: str, now_ms: int, size_bytes: int = 0, rekeyed: bool = False
    ) -> Rejected | Redirect | None:
        """Steps 1 and 2 of :meth:`on_event`, which do not depend on the order of events. Returns None to go on."""
        return self._accepted(event, key, now_ms, size_bytes, rekeyed)[0]

    def attribute(self, event: Event, home: str) -> IntakeEffects | Drop:
        """Steps 3 to 6 of :meth:`on_event` for an accepted event. ``home`` is its key."""
        return self._attribute(event, home, self._anchors.get(home))

    def _accepted(
        self, event: Event, key: str, now_ms: int, size_bytes: int, rekeyed: bool
    ) -> tuple[Rejected | Redirect | None, AnchorRow | None]:
        """Returns why an event is refused, or None; and its anchor's row if it has one."""
        # 1. accept
        accepted = self._accept(event, now_ms, size_bytes)
        if isinstance(accepted, Rejected):
            return accepted, None
        # 2. re-key check; a row is only ever made on the right partition, so most events skip the hashing
        anchor = event.identifiers[0]
        home = key_of(event.tenant, anchor)
        if key != home:
            return _misplaced(anchor, home, rekeyed), None
        row = self._anchors.get(home)
        if row is None and not self._partition_is_right(home):
            return _misplaced(anchor, home, rekeyed), None
        return None, row

    def _attribute(self, event: Event, home: str, row: AnchorRow | None) -> IntakeEffects | Drop:
        # 3. de-duplicate; after 1 and 2, so that an invalid event is quarantined every time and a redirected event is
        #    still new on its partition
        if not self._seen.add(digest_of(event), event.timestamp_ms):
            return DUPLICATE
        # 4. apply marks; after 3, so that a message id that was dropped here stays dropped
        if self._marks and (dropped := admit(event, self._marks)) is not None:
            return dropped
        # 5. attribute
        first_sight = row is None
        if row is None:
            row = AnchorRow()
        # 6. filter known links
        identifiers = event.identifiers
        older = row.note(event.timestamp_ms)
        links = _pass_again(event.tenant, identifiers[0], row) if older else []
        if len(identifiers) > 1:
            links += known_links.observe(event, row, self._rules.link_refresh_ms)
            if len(row.links) > self._rules.known_links_cap:
                links += known_links.evict_excess(event.tenant, identifiers[0], row, self._rules.known_links_cap)
            self._anchors.put(home, row)
        elif older or first_sight:
            self._anchors.put(home, row)
        if self._attributes:  # profiles list what identifies a customer
            event.identifiers = [ident for ident in identifiers if type_of(ident) not in self._attributes]
        return IntakeEffects(event, row.profile_id, links, copy_key(event) if event.type == ALIAS else "")

    def accepts_alias(self, event: Event, *, now_ms: int, size_bytes: int = 0) -> bool:
        """Validates and normalises the copy of an alias. Returns False if the rules changed after it was sent."""
        return not isinstance(self._accept(event, now_ms, size_bytes), Rejected)

    def on_alias(self, event: Event) -> list[Link]:
        """Stores the copy of an accepted alias in the row of its previous user id. Returns the links to pass on."""
        previous = previous_user(event)
        if not previous or not self._seen.add(digest_of(event, ALIAS_COPY), event.timestamp_ms):
            return []
        if self._marks and admit(event, self._marks) is not None:
            return []
        key = key_of(event.tenant, previous)
        row = self._anchors.get(key) or AnchorRow()
        note_alias(row, event, self._rules.known_links_cap)
        self._anchors.put(key, row)
        return alias_links(event.tenant, previous, row)

    def owner_of(self, home: str) -> str | None:
        """Returns the profile that owns the anchor of this key by STITCH's last assignment, or None."""
        row = self._anchors.get(home)
        return None if row is None else row.profile_id

    def on_assignment(self, tenant: str, ident: Identifier, assigned: Assigned) -> list[Link]:
        """Stores the assignment of an identifier; the highest ``seq`` wins. Returns the links to send to STITCH.

        These are links that are now contested and were seen after they were last passed on. An earlier assignment
        would have made INTAKE pass those sightings on, so the result does not depend on when the assignment arrives.
        """
        key = key_of(tenant, ident)
        row = self._anchors.get(key) or AnchorRow()
        if assigned.seq <= row.seq:
            return []
        row.profile_id, row.seq, row.contested = assigned.profile_id, assigned.seq, list(assigned.contested)
        links = known_links.pass_contested(tenant, ident, row)
        self._anchors.put(key, row)
        return links


def digest_of(event: Event, suffix: str = "") -> bytes:
    """Returns an eight-byte hash of (tenant, source, message id), the key of the de-duplication window.

    ``suffix`` distinguishes a copy of the event from the event.
    """
    hashing = _EMPTY_HASH.copy()  # a third cheaper than a new hash object
    hashing.update(f"{event.tenant}\0{event.source}\0{event.message_id}{suffix}".encode())
    return hashing.digest()


def _pass_again(tenant: str, anchor: Identifier, row: AnchorRow) -> list[Link]:
    """Returns every link of an anchor, and of the aliases that name it: all carry its first sighting."""
    links = known_links.pass_all(tenant, anchor, row) if row.links else []
    return links + alias_links(tenant, anchor, row) if row.aliases else links


def _misplaced(anchor: Identifier, home: str, rekeyed: bool) -> Redirect | Rejected:
    if rekeyed:
        detail = f"re-keyed once by its {type_of(anchor)} and still not under that key and on its partition"
        return Rejected(Reason.MISROUTED, detail)
    return Redirect(Reason.REKEYED, home)
