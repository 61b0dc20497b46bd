"""Reads the objects that a batch of works is about, and follows those that were merged, converted or deleted."""

from collections.abc import Sequence
from typing import Final

from connectors.crm.gateway import Gateway
from connectors.crm.sink import NeedsReview, RetryLater
from connectors.crm.split import Failed
from connectors.crm.work import Held, Work
from pipeline.rules.crm import CrmConnection

MAX_HOPS: Final = 4
"""Conversions and merges in a row that are followed."""


class Finder:
    """Fills ``current`` of works, or settles works that must not be written.

    Raises (every method):
        StoppedError: The CRM is not available now.
        SinkError: A right is missing.
    """

    def __init__(self, connection: CrmConnection, gateway: Gateway) -> None:
        self._connection, self._gateway = connection, gateway

    def read(self, works: Sequence[Work], tenant: str) -> None:
        """Reads what the CRM holds. A work without ``object_id`` afterwards has no object yet."""
        for work in works:
            work.current = None
        self._find([work for work in works if not work.object_id], tenant)
        for _ in range(MAX_HOPS):
            unread = [work for work in works if work.object_id and work.current is None and work.outcome is None]
            for object_type in sorted({work.object for work in unread}):
                self._read(object_type, [work for work in unread if work.object == object_type], tenant)
        for work in works:
            if work.object_id and work.current is None and work.outcome is None:
                work.outcome = RetryLater(0, f"{work.object} {work.object_id} was moved while it was read")

    def _find(self, works: Sequence[Work], tenant: str) -> None:
        """Looks for objects that carry the action ids, written before an answer was lost."""
        if works:
            keys = [work.action.action_id for work in works]
            found = self._gateway.find(keys, tenant)
            for work in works:
                work.object_id = found.get(work.action.action_id, "")

    def _read(self, object_type: str, works: Sequence[Work], tenant: str) -> None:
        names = self._names(object_type)
        ids = sorted({work.object_id for work in works})
        found = self._gateway.read(object_type, ids, names, tenant)
        for work in works:
            if held := found.get(work.object_id):
                self._take(work, held)
            else:
                self._follow(work, names, tenant)

    def _follow(self, work: Work, names: Sequence[str], tenant: str) -> None:
        answer = self._gateway.follow(work.object, work.object_id, names, tenant)
        if isinstance(answer, Held):
            self._take(work, answer)
        elif isinstance(answer, Failed):
            work.outcome = RetryLater(0, answer.words)
        else:
            if self._connection.deleted == "review":
                work.outcome = NeedsReview(f"{work.object} {work.object_id} was deleted in {self._gateway.crm}")
            work.object, work.object_id, work.row = self._gateway.home, "", None

    def _take(self, work: Work, held: Held) -> None:
        if held.moved_to is None:
            work.object, work.object_id, work.current = held.object, held.id, held.values
            return
        object_type, object_id = held.moved_to
        if object_id:
            work.object, work.object_id = object_type, object_id
        else:
            work.outcome = NeedsReview(f"{held.object} {held.id} was converted without a {object_type}")

    def _names(self, object_type: str) -> list[str]:
        known, names = self._gateway.fields(object_type), self._gateway.names
        wanted = {getattr(names, field) for field in names.__struct_fields__}
        return sorted((wanted | {written.to for written in self._connection.fields}) & known.keys())
