"""The filter before STITCH: of the links an anchor shows, pass on those that can change who is who.

A few percent of events show a link that is new, older than known, contested or long not passed. The rest is remembered
here, and passed as soon as it matters: what STITCH is told at the end never depends on when it answered.
"""

from pipeline.event.anchor import AnchorRow, KnownLink, SeenLink
from pipeline.event.identifier import Identifier
from pipeline.event.model import Event


def see(event: Event, row: AnchorRow, refresh_ms: int) -> list[SeenLink]:
    """Remember the event's links with its anchor in the row; return those to pass on.

    A link is passed when it is new, was seen earlier than passed, is contested and was seen later than passed, or was
    seen more than ``refresh_ms`` later than passed.
    """
    found: list[SeenLink] = []
    now_ms, links, contested = event.timestamp_ms, row.links, row.contested
    anchor, *others = event.identifiers
    for other in others:
        link = links.get(other)
        if link is None:
            link = links[other] = KnownLink(now_ms, now_ms, 1, event.source, event.message_id)
            found.append(_pass(event.tenant, anchor, other, link))
            continue
        _fold(link, event)
        patience_ms = 0 if contested and other in contested else refresh_ms
        if link.first_ms < link.passed_first_ms or link.last_ms - link.passed_last_ms > patience_ms:
            found.append(_pass(event.tenant, anchor, other, link))
    return found


def pass_contested(tenant: str, anchor: Identifier, row: AnchorRow) -> list[SeenLink]:
    """The contested links that were seen later than STITCH was told, marked as told."""
    found = []
    for other in row.contested:
        link = row.links.get(other)
        if link is not None and link.last_ms > link.passed_last_ms:
            found.append(_pass(tenant, anchor, other, link))
    return found


def forget(tenant: str, anchor: Identifier, row: AnchorRow, cap: int) -> list[SeenLink]:
    """Bring a row that holds more than ``cap`` links to nine tenths of it, longest unseen first.

    Returns what STITCH was not told of the forgotten ones, so that nothing is lost: seen again, they count as new.
    """
    excess = len(row.links) - (cap - cap // 10)
    oldest = sorted(row.links.items(), key=lambda item: (item[1].last_ms, item[0]))[:excess]
    found = []
    for other, link in oldest:
        if link.count > link.passed_count:
            found.append(_pass(tenant, anchor, other, link))
        del row.links[other]
    return found


def _fold(link: KnownLink, event: Event) -> None:
    link.count += 1
    at_ms = event.timestamp_ms
    if at_ms > link.last_ms or (
        at_ms == link.last_ms and (event.source, event.message_id) > (link.source, link.message_id)
    ):
        link.last_ms = at_ms
        link.source, link.message_id = event.source, event.message_id
    elif at_ms < link.first_ms:
        link.first_ms = at_ms


def _pass(tenant: str, anchor: Identifier, other: Identifier, link: KnownLink) -> SeenLink:
    """What to tell STITCH of a link now, marked as told."""
    told = link.count - link.passed_count
    link.passed_first_ms, link.passed_last_ms, link.passed_count = link.first_ms, link.last_ms, link.count
    event_id = f"{link.source}/{link.message_id}"
    return SeenLink(tenant, anchor, other, link.first_ms, link.last_ms, told, link.source, event_id)
