"""The filter before STITCH: of the links an anchor shows, pass on those that can change who is who.

A few percent of events show a link that is new, older than known, contested or long not passed. The rest is remembered
here, and passed as soon as it matters: what STITCH is told at the end never depends on when it answered.
"""

from typing import Final

from pipeline.event.anchor import AnchorRow, KnownLink
from pipeline.event.identifier import Identifier, type_of
from pipeline.event.link import Link
from pipeline.event.model import Event

ALIAS: Final = "alias"
"""The type of events that say of two identifiers that they are one person."""


def asserts(event: Event, other: Identifier) -> bool:
    """Whether the event says that its anchor and the other are one person, limits or not.

    An alias of two identifiers of one type does, as of an old user id and a new one. That of a browser is evidence as
    any other: it shall be no way round a limit.
    """
    return event.type == ALIAS and type_of(event.identifiers[0]) == type_of(other)


def observe(event: Event, row: AnchorRow, refresh_ms: int) -> list[Link]:
    """Remember the event's links with its anchor in the row; return those to pass on.

    A link is passed when it is new, was seen earlier than passed, is contested and was seen later than passed, was
    seen more than ``refresh_ms`` later than passed, or is asserted (by an alias), which may revive a deleted link.
    """
    passed: list[Link] = []
    at_ms, links, contested = event.timestamp_ms, row.links, row.contested
    anchor, *others = event.identifiers
    for other in others:
        link = links.get(other)
        if link is None:
            links[other] = link = KnownLink(at_ms, at_ms, 1, at_ms, at_ms)
            passed.append(_pass(event.tenant, anchor, other, row, event))
            continue
        link.count += 1
        if at_ms > link.last_ms:
            link.last_ms = at_ms
        elif at_ms < link.first_ms:
            link.first_ms = at_ms
        refresh_after_ms = 0 if contested and other in contested else refresh_ms
        if (
            link.last_ms - link.passed_last_ms > refresh_after_ms
            or link.first_ms < link.passed_first_ms
            or asserts(event, other)
        ):
            passed.append(_pass(event.tenant, anchor, other, row, event))
    return passed


def pass_all(tenant: str, anchor: Identifier, row: AnchorRow) -> list[Link]:
    """Every known link: the anchor turned out to be older than STITCH was told."""
    return [_pass(tenant, anchor, other, row, None) for other in row.links]


def pass_contested(tenant: str, anchor: Identifier, row: AnchorRow) -> list[Link]:
    """The contested links that were seen later than STITCH was told, marked as told."""
    passed = []
    for other in row.contested:
        link = row.links.get(other)
        if link is not None and link.last_ms > link.passed_last_ms:
            passed.append(_pass(tenant, anchor, other, row, None))
    return passed


def evict_excess(tenant: str, anchor: Identifier, row: AnchorRow, cap: int) -> list[Link]:
    """Bring a row that holds more than ``cap`` links to nine tenths of it, longest unseen first.

    Returns those that were seen later than STITCH was told, so that no sighting is lost: seen again, they are new.
    """
    excess = len(row.links) - (cap - cap // 10)
    oldest = sorted(row.links.items(), key=lambda item: (item[1].last_ms, item[0]))[:excess]
    passed = []
    for other, link in oldest:
        if link.last_ms > link.passed_last_ms:
            passed.append(_pass(tenant, anchor, other, row, None))
        del row.links[other]
    return passed


def _pass(tenant: str, anchor: Identifier, other: Identifier, row: AnchorRow, event: Event | None) -> Link:
    """What to tell STITCH of a link now, marked as told."""
    link = row.links[other]
    link.passed_first_ms, link.passed_last_ms = link.first_ms, link.last_ms
    first_ms, last_ms = link.first_ms, link.last_ms
    if event is None:
        return Link(tenant, anchor, other, first_ms, last_ms, link.count, "", "", False, row.first_ms)
    asserted = asserts(event, other)
    return Link(
        tenant, anchor, other, first_ms, last_ms, link.count, event.source, event.event_id, asserted, row.first_ms
    )
