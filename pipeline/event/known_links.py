"""The filter before STITCH: passes on only the links of an event that can change an assignment.

A few percent of events carry a link that is new, older than known, contested, or due for a refresh. INTAKE stores the
sightings of all other links and passes them on once they matter. So the links that STITCH receives in the end do not
depend on when its assignments arrive.
"""

from pipeline.event.alias import ALIAS
from pipeline.event.anchor import AnchorRow, KnownLink
from pipeline.event.identifier import Identifier, type_of
from pipeline.event.link import Link
from pipeline.event.model import Event


def asserts(event: Event, other: Identifier) -> bool:
    """Returns whether the event asserts a link with its anchor that the limits of a type do not bind.

    An alias of two identifiers of one type does, such as an old and a new user id. An alias of a browser is ordinary
    evidence; otherwise an alias could bypass a limit.
    """
    return event.type == ALIAS and type_of(event.identifiers[0]) == type_of(other)


def observe(event: Event, row: AnchorRow, refresh_ms: int) -> list[Link]:
    """Stores the event's links with its anchor in the row. Returns the links to pass on.

    A link is passed on if at least one of these holds:

    * the link is new;
    * this sighting is earlier than the first one passed on;
    * the link is contested, and this sighting is later than the last one passed on;
    * this sighting is more than ``refresh_ms`` later than the last one passed on;
    * the event asserts the link (an alias), which may revive a deleted link.

    A negative ``refresh_ms`` passes on every sighting.
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
        refresh_after_ms = min(0, refresh_ms) if contested and other in contested else refresh_ms
        if (
            link.last_ms - link.passed_last_ms > refresh_after_ms
            or link.first_ms < link.passed_first_ms
            or (event.type == ALIAS and asserts(event, other))
        ):
            passed.append(_pass(event.tenant, anchor, other, row, event))
    return passed


def pass_all(tenant: str, anchor: Identifier, row: AnchorRow) -> list[Link]:
    """Returns every known link, because the anchor was first seen earlier than STITCH knows. Marks them as passed."""
    return [_pass(tenant, anchor, other, row, None) for other in row.links]


def pass_contested(tenant: str, anchor: Identifier, row: AnchorRow) -> list[Link]:
    """Returns the contested links with sightings that were not passed on yet. Marks them as passed."""
    passed = []
    for other in row.contested:
        link = row.links.get(other)
        if link is not None and link.last_ms > link.passed_last_ms:
            passed.append(_pass(tenant, anchor, other, row, None))
    return passed


def evict_excess(tenant: str, anchor: Identifier, row: AnchorRow, cap: int) -> list[Link]:
    """Reduces a row of more than ``cap`` links to nine tenths of ``cap``, dropping the least recently seen.

    Returns the dropped links with sightings that were not passed on yet, so that none is lost. A dropped link counts
    as new at its next sighting.
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
    """Returns the record for STITCH of a link's sightings so far, and marks the link as passed."""
    link = row.links[other]
    link.passed_first_ms, link.passed_last_ms = link.first_ms, link.last_ms
    first_ms, last_ms = link.first_ms, link.last_ms
    if event is None:
        return Link(tenant, anchor, other, first_ms, last_ms, link.count, "", "", False, row.first_ms)
    asserted = asserts(event, other)
    return Link(
        tenant, anchor, other, first_ms, last_ms, link.count, event.source, event.event_id, asserted, row.first_ms
    )
