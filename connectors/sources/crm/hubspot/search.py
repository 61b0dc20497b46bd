"""Finds HubSpot's changes by search: objects by time of change, and deleted objects in lists.

A stream searches one type of object. HubSpot's search returns at most 10,000 results of a query and sorts by a single
property. So each page is a query of its own: within a window of time (:mod:`..window`), for the ids after the last one.
A merged contact is found by its id in ``hs_merged_object_ids`` of its survivor. Deleted objects cannot be searched by
time, so all of them are listed every ``ARCHIVE_EVERY_MS``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from connectors.crm.exchange import Call, Send, dicts_in
from connectors.crm.hubspot.answers import checked as classify
from connectors.crm.hubspot.tracked import ACTIVITIES, OWNER, modified_property, read_properties, tracked_types
from connectors.sources.crm.answers import checked, millis, text
from connectors.sources.crm.change import Change, Fate, Page
from connectors.sources.crm.hubspot.objects import CRM, KINDS, Objects
from connectors.sources.crm.window import advanced, current, is_behind, span_of, started
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

PAGE: Final = 200
ARCHIVE_PAGE: Final = 100
ARCHIVE_EVERY_MS: Final = 900_000
ARCHIVED: Final = "archived-"
"""Prefix of the streams that list deleted objects."""


class HubSpotReader:
    """Reads one account by search. Implements :class:`~connectors.sources.crm.reader.CrmReader`."""

    owner_field = OWNER

    def __init__(self, connection: CrmConnection, send: Send, clock: Clock) -> None:
        self._back, self._send, self._clock = connection.back, send, clock
        self._path = f"/crm/objects/{connection.version}"
        self._objects = Objects(connection, send)
        back = connection.back
        self._span = span_of(back.since_days, back.overlap_minutes, back.delay_seconds, back.step_hours)

    def streams(self) -> Sequence[str]:
        """Returns the types of object, and ``archived-TYPE`` for each that is not an activity."""
        types = tracked_types(self._back)
        wanted = [one for one in types if one not in ACTIVITIES]
        return [*wanted, *(f"{ARCHIVED}{one}" for one in wanted), *(one for one in types if one in ACTIVITIES)]

    def since(self, stream: str, since_ms: int) -> str:
        """Returns the cursor from which a stream reads the changes since a time. Archived objects have no limit."""
        return "" if stream.startswith(ARCHIVED) else started(since_ms, self._clock(), self._span).text()

    def changes(self, stream: str, cursor: str) -> Page:
        """Returns one page of a stream."""
        if stream.startswith(ARCHIVED):
            return self._archived(stream.removeprefix(ARCHIVED), cursor)
        window = current(cursor, self._clock(), self._span)
        body = checked(self._send(self._search(stream, window.from_ms, window.until_ms, window.after)), CRM, classify)
        rows = [row for row in dicts_in(body.get("results")) if row.get("id")]
        # A page of a search may be shorter than its limit although another page follows.
        has_rest = len(rows) >= PAGE or (bool(rows) and bool(_after(body)))
        window = advanced(window, str(rows[-1]["id"]) if rows else "", full=has_rest)
        return Page(tuple(self._objects.changes(stream, rows)), window.text(), is_behind(window))

    def _search(self, stream: str, from_ms: int, until_ms: int, after: str) -> Call:
        modified = modified_property(stream)
        filters = [
            {"propertyName": modified, "operator": "GTE", "value": str(from_ms)},
            {"propertyName": modified, "operator": "LTE", "value": str(until_ms)},
        ]
        if after:
            filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": after})
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": read_properties(stream, self._back),
            "limit": PAGE,
        }
        return Call(method="POST", path=f"{self._path}/{stream}/search", body=body, policy="search")

    def _archived(self, stream: str, cursor: str) -> Page:
        """Returns a page of the deleted objects; none until the next listing is due."""
        after, due_ms = msgspec.json.decode(cursor, type=tuple[str, int]) if cursor else ("", 0)
        now_ms = self._clock()
        if now_ms < due_ms:
            return Page((), cursor)
        page = f"&after={after}" if after else ""
        call = Call(method="GET", path=f"{self._path}/{stream}?archived=true&limit={ARCHIVE_PAGE}{page}")
        body = checked(self._send(call), CRM, classify)
        changes = tuple(
            Change(
                kind=KINDS[stream], id=str(row["id"]), modified_ms=millis(row.get("archivedAt")) or now_ms,
                fate=Fate.DELETED,
            )
            for row in dicts_in(body.get("results"))
            if row.get("id")
        )  # fmt: skip
        after = _after(body)
        due_ms = 0 if after else now_ms + ARCHIVE_EVERY_MS
        return Page(changes, msgspec.json.encode((after, due_ms)).decode(), bool(after))


def _after(body: Mapping[str, Any]) -> str:
    """Returns HubSpot's cursor for the next page; "" if there is none."""
    return text(((body.get("paging") or {}).get("next") or {}).get("after"))
