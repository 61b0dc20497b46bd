"""Erasing a customer from PROFILE's rows, and what older messages may still hold about one.

A message is older than an erasure if its number is lower, a touch if its event time is not later. A row is cleaned
once, after its partition has learnt of the erasure, so it may lose events that happened in between.
"""

from typing import Any

import msgspec

from pipeline.event.erasure import NO_DECISION, Mark, Marks, is_erased
from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id as id_of
from pipeline.profile.ledger import Ledger, Owned, decode_ledger, encode_ledger
from pipeline.profile.messages import Carry, IdentifierOwnership, Message, Move, Touch
from pipeline.profile.row import ProfileRow


class Cleaned(msgspec.Struct):
    """What was removed from a row."""

    ledgers: dict[Identifier, Ledger] = {}
    changed: bool = False
    """Whether anything was removed."""
    restated: bool = False
    """Whether a ledger that stays lost identifiers."""


def newer_part(message: Message, marks: Marks) -> Message | None:
    """Returns a message without what is older than an erasure; None if nothing is left to process."""
    if isinstance(message, Touch):
        return _newer_touch(message, marks)
    if isinstance(message, IdentifierOwnership):
        return _newer_ownership(message, marks)
    if isinstance(message, Move):
        anchors = [anchor for anchor in message.anchors if not _is_before(message, anchor, marks)]
        if len(anchors) == len(message.anchors):
            return message
        return msgspec.structs.replace(message, anchors=anchors) if anchors or message.awaited else None
    return _newer_carry(message, marks)


def home_of(message: Touch, profile_id: str, row: ProfileRow, marks: Marks) -> tuple[str, int] | None:
    """Returns the profile to send the touch of an erased anchor to, and the number from which on it owns the anchor.

    INTAKE may have sent it by an assignment from before the erasure. The owner now is the anchor's own profile, or
    known to it. None if the touch is there, or if this row knows better.
    """
    if message.seq or message.anchor in row.ownership.pointers:
        return None
    mark, home = marks.of(message.tenant, message.anchor), id_of(message.tenant, message.anchor)
    if mark is None or mark.erased_seq == NO_DECISION or home == profile_id:
        return None
    return home, mark.erased_seq


def clean_row(profile_id: str, row: ProfileRow, marks: Marks) -> Cleaned:
    """Removes everything about erased identifiers from a row, in place. ``marks``: those not swept yet."""
    cleaned, tenant = Cleaned(), row.tenant
    for anchor in list(row.anchors):
        mark = marks.of(tenant, anchor)
        if mark is not None and not _is_new(profile_id, row, anchor, mark):
            cleaned.ledgers[anchor] = row.anchors.pop(anchor)
    pointers, awaited = row.ownership.pointers, row.ownership.awaited
    for anchor in [anchor for anchor, (seq, _) in pointers.items() if seq < _seq(tenant, anchor, marks)]:
        del pointers[anchor]
        cleaned.changed = True
    for anchor in list(awaited):
        before = len(awaited[anchor])
        awaited[anchor] = _newer_owned(tenant, anchor, awaited[anchor], marks)
        cleaned.changed |= len(awaited[anchor]) != before
        if not awaited[anchor]:
            del awaited[anchor]
    for anchor, ledger in row.anchors.items():
        newer = cleaned_ledger(tenant, ledger, marks)
        if newer is not ledger:
            row.anchors[anchor] = newer
            cleaned.restated = True
    cleaned.changed |= cleaned.restated or bool(cleaned.ledgers)
    return cleaned


def mentions(profile_id: str, row: ProfileRow, marks: Marks) -> bool:
    """Returns whether :func:`clean_row` would change the row."""
    tenant = row.tenant
    for anchor, ledger in row.anchors.items():
        mark = marks.of(tenant, anchor)
        if mark is not None and not _is_new(profile_id, row, anchor, mark):
            return True
        if cleaned_ledger(tenant, ledger, marks) is not ledger:
            return True
    ownership = row.ownership
    if any(seq < _seq(tenant, anchor, marks) for anchor, (seq, _) in ownership.pointers.items()):
        return True
    return any(
        len(_newer_owned(tenant, anchor, owned, marks)) != len(owned) for anchor, owned in ownership.awaited.items()
    )


def cleaned_ledger(tenant: str, ledger: Ledger, marks: Marks) -> Ledger:
    """Returns another customer's ledger without the erased identifiers; the ledger itself if it has none."""
    changes: dict[str, Any] = {}
    identifiers = dict(ledger.identifiers)
    for ident, (first_ms, last_ms) in ledger.identifiers.items():
        mark = marks.of(tenant, ident)
        if mark is None or first_ms > mark.erased_ms:
            continue
        if last_ms <= mark.erased_ms:
            del identifiers[ident]
        else:
            identifiers[ident] = (mark.erased_ms + 1, last_ms)
        changes["identifiers"] = identifiers
    owned = {ident: item for ident, item in ledger.owned.items() if item[0] > _seq(tenant, ident, marks)}
    if len(owned) != len(ledger.owned):
        changes["owned"] = owned
    episodes = {
        name: msgspec.structs.replace(episode, anchor="")
        for name, episode in ledger.episodes.items()
        if episode.anchor and is_erased(marks.of(tenant, episode.anchor), episode.opened_ms)
    }
    if episodes:
        changes["episodes"] = {**ledger.episodes, **episodes}
    return msgspec.structs.replace(ledger, **changes) if changes else ledger


def _newer_touch(touch: Touch, marks: Marks) -> Touch | None:
    old = [ident for ident in touch.identifiers if is_erased(marks.of(touch.tenant, ident), touch.timestamp_ms)]
    if not old:
        return touch
    if touch.anchor in old:
        return None
    return msgspec.structs.replace(touch, identifiers=[ident for ident in touch.identifiers if ident not in old])


def _newer_ownership(message: IdentifierOwnership, marks: Marks) -> IdentifierOwnership | None:
    if _is_before(message, message.anchor, marks):
        return None
    owned = {ident: own for ident, own in message.owned.items() if message.decided > _seq(message.tenant, ident, marks)}
    if len(owned) == len(message.owned):
        return message
    return msgspec.structs.replace(message, owned=owned) if owned else None


def _newer_carry(carry: Carry, marks: Marks) -> Carry | None:
    ledgers: dict[Identifier, msgspec.Raw] = {}
    for anchor, encoded in carry.ledgers.items():
        if not _is_before(carry, anchor, marks):
            ledger = decode_ledger(encoded)
            newer = cleaned_ledger(carry.tenant, ledger, marks)
            ledgers[anchor] = encoded if newer is ledger else msgspec.Raw(encode_ledger(newer))
    return msgspec.structs.replace(carry, ledgers=ledgers) if ledgers or carry.source else None


def _is_before(message: Move | Carry | IdentifierOwnership, anchor: Identifier, marks: Marks) -> bool:
    return message.seq <= _seq(message.tenant, anchor, marks)


def _is_new(profile_id: str, row: ProfileRow, anchor: Identifier, mark: Mark) -> bool:
    """Returns whether a ledger came after the erasure: by a move, or by a touch of the profile named after it.

    A pointer with the erasure's own number comes from :func:`home_of`.
    """
    if mark.erased_seq == NO_DECISION:
        return True
    pointer = row.ownership.pointers.get(anchor)
    if pointer is not None:
        return pointer[0] >= mark.erased_seq
    first = row.anchors[anchor].first
    return id_of(row.tenant, anchor) == profile_id and first is not None and first[0] > mark.erased_ms


def _newer_owned(
    tenant: str, anchor: Identifier, owned: dict[Identifier, Owned], marks: Marks
) -> dict[Identifier, Owned]:
    of_anchor = _seq(tenant, anchor, marks)
    return {ident: item for ident, item in owned.items() if item[0] > max(of_anchor, _seq(tenant, ident, marks))}


def _seq(tenant: str, ident: Identifier, marks: Marks) -> int:
    """Returns the number of the identifier's last erasure; ``NO_DECISION`` if it was never erased."""
    mark = marks.of(tenant, ident)
    return NO_DECISION if mark is None else mark.erased_seq
