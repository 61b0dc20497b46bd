"""From a change to events, decisions, and what is now seen of the object. Pure."""

from collections.abc import Collection, Sequence

import msgspec

from connectors.sources.crm.change import PEOPLE, Change, Fate, ObjectKind
from connectors.sources.crm.deal_events import deal_events, deal_of
from connectors.sources.crm.document import Document, Documents
from connectors.sources.crm.other_events import activity_events, company_events
from connectors.sources.crm.person_events import person_events
from connectors.sources.crm.seen import Seen, Written, compare
from pipeline.identity.messages import Command


class Translated(msgspec.Struct):
    """What one change leads to."""

    documents: list[Document]
    commands: list[Command] = []
    seen: Seen | None = None
    """What to remember; None if nothing is new."""
    echoes: int = 0
    """Fields that the sink itself has written."""


def translate(
    change: Change,
    before: Seen | None,
    written: Sequence[Written],
    make: Documents,
    *,
    always: Collection[str] = (),
    since_ms: int = 0,
) -> Translated:
    """Returns the events of a change. The same change, seen again, leads to nothing.

    ``written`` is what the sink has written to the object, ``always`` the fields that it overwrites. Creations before
    ``since_ms`` are no events.
    """
    if change.fate is Fate.DELETED and before is None and not written:
        return Translated([])  # deleted before anything was read
    if change.fate is Fate.DELETED and before is not None and before.fate is Fate.MERGED:
        return Translated([])  # a CRM may also list what it has merged as deleted
    compared = compare(change, before, written, always)
    seen, commands = compared.seen, []
    if change.kind in PEOPLE:
        documents = [*person_events(change, before, compared, make, is_ours=bool(written))]
        is_new_end = before is None or (before.fate, before.into) != (change.fate, change.into)
        if change.into and is_new_end and (command := make.join(change, f"{change.fate} in the CRM")):
            commands = [command]
        if change.fate is not Fate.PRESENT:
            seen = msgspec.structs.replace(seen, hashes={}, echoed={})
    elif change.kind is ObjectKind.DEAL:
        deal = deal_of(change, before, seen, make)
        if not deal.identifiers:
            return Translated([])
        documents, seen = [*deal_events(deal, make, since_ms)], deal.seen
    elif change.kind is ObjectKind.COMPANY:
        documents = [*company_events(change, compared, make)]
    else:
        documents = [*activity_events(change, before, make, since_ms)]
    is_known = before is not None and msgspec.structs.replace(seen, modified_ms=before.modified_ms) == before
    echoes = sum(seen.echoed.get(name) != (before.echoed.get(name) if before else None) for name in seen.echoed)
    return Translated(documents, commands, None if is_known else seen, echoes)
