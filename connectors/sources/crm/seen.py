"""What was last seen of an object, and the comparison of a change with it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from connectors.crm.ledger_row import value_hash
from connectors.sources.crm.change import Change, Fate, ObjectKind

_BLANK = value_hash("")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One object as it was last read: the record of the reader's topic. It holds hashes of personal fields."""

    kind: ObjectKind
    id: str
    fate: Fate = Fate.PRESENT
    into: str = ""
    modified_ms: int = 0
    hashes: dict[str, str] = {}
    """Field → hash of the value. Omits empty fields."""
    echoed: dict[str, str] = {}
    """Field → hash of the value that was recognised as the sink's own write."""
    person: str = ""
    """Of a deal: the CRM's id of the contact that gets its events."""
    stage: str = ""
    outcome: str = ""
    won: tuple[str, str] = ("", "")
    """Of a won deal: the amount and the currency that were reported as revenue."""


class Written(NamedTuple):
    """The contents of a ledger row about an object that the sink has written."""

    hashes: Mapping[str, str]
    """Field → hash of the value last written."""
    at_ms: int
    """Time of the write."""


class Compared(NamedTuple):
    """The result of a comparison."""

    changed: dict[str, str]
    """The fields that others have changed, with their values now; "" for one that was emptied."""
    seen: Seen
    """What is seen now."""


def compare(change: Change, before: Seen | None, written: Sequence[Written], always: Collection[str]) -> Compared:
    """Compares a change with what was seen before, and leaves out what the sink itself has written.

    ``always`` are the fields that the sink overwrites whatever a user has entered.
    """
    known = before.hashes if before is not None else {}
    echoed = dict(before.echoed) if before is not None else {}
    hashes, changed = dict(known), {}
    for name, value in change.fields.items():
        now = value_hash(value)
        if now == known.get(name, _BLANK):
            continue
        if value:
            hashes[name] = now
        else:
            hashes.pop(name, None)
        if _is_echo(name, now, before, written, always):
            echoed[name] = now
        else:
            changed[name] = value
    seen = Seen(
        kind=change.kind, id=change.id, fate=change.fate, into=change.into, modified_ms=change.modified_ms,
        hashes=hashes, echoed=echoed, person=before.person if before else "", stage=before.stage if before else "",
        outcome=before.outcome if before else "", won=before.won if before else ("", ""),
    )  # fmt: skip
    return Compared(changed, seen)


def _is_echo(name: str, now: str, before: Seen | None, written: Sequence[Written], always: Collection[str]) -> bool:
    """Returns whether a new value is the sink's own write.

    Each written value is an echo once. A user that enters it again later makes a change, unless the sink has
    overwritten the field since then.
    """
    times = [row.at_ms for row in written if row.hashes.get(name) == now]
    if not times:
        return False
    if before is None or before.echoed.get(name) != now:
        return True
    return name in always and max(times) > before.modified_ms
