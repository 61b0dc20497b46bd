"""Reads the present state of changed objects: present, merged into another one, or gone.

A batch read leaves out objects that it does not find, but it may also be answered in part. So each object that is left
out is read by its id: it is gone only if HubSpot answers 404 or 410. For the id of a merged contact HubSpot returns
the survivor.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from connectors.crm.exchange import Call, Send, dicts_in
from connectors.crm.fault import StoppedError
from connectors.crm.hubspot.answers import checked as classify
from connectors.crm.hubspot.tracked import read_properties
from connectors.crm.sink import Pause
from connectors.sources.crm.answers import NOT_FOUND, checked, text
from connectors.sources.crm.change import Change, Fate, ObjectKind
from connectors.sources.crm.hubspot.entry import Changed
from connectors.sources.crm.hubspot.objects import BATCH, CRM, KINDS, Objects, Row, modified_ms
from pipeline.rules.crm import CrmConnection


class Present(NamedTuple):
    """The result of a reading."""

    changes: tuple[Change, ...]
    young: tuple[Changed, ...]
    """Objects without a change here: their newest change is so young that it may be the sink's own write."""


class PresentReader:
    """Reads objects by their ids.

    Raises (every method):
        StoppedError: HubSpot is not available now.
        SinkError: A right is missing, or HubSpot refuses the request itself.
    """

    def __init__(self, connection: CrmConnection, send: Send) -> None:
        self._back, self._send = connection.back, send
        self._path = f"/crm/objects/{connection.version}"
        self._objects = Objects(connection, send)

    def read(self, changed: Iterable[Changed], is_young: Callable[[Changed, int], bool]) -> Present:
        """Returns the changes of objects. ``is_young`` gets an object and the time of its newest change in ms."""
        by_type: dict[str, dict[str, Changed]] = {}
        for one in changed:
            by_type.setdefault(one.object_type, {})[one.id] = one
        changes: list[Change] = []
        young: list[Changed] = []
        for object_type, wanted in by_type.items():
            rows, survivor_of, gone = self._rows(object_type, list(wanted))
            ready = []
            for row in rows:
                one = wanted.get(str(row["id"])) or Changed(object_type, str(row["id"]), 0)
                if is_young(one, modified_ms(object_type, row)):
                    young.append(one)
                    # The merges into it are reported with it.
                    young += [wanted[old] for old, into in survivor_of.items() if into == one.id]
                else:
                    ready.append(row)
            found = [*self._objects.changes(object_type, ready)]
            changes += [*found, *_merges(object_type, survivor_of, found), *_deletions(object_type, gone, wanted)]
        return Present(tuple(changes), tuple(dict.fromkeys(young)))

    def _rows(self, object_type: str, ids: Sequence[str]) -> tuple[list[Row], dict[str, str], list[str]]:
        """Returns the rows of objects that exist, merged id → survivor's id, and the ids of objects that are gone."""
        rows = {str(row["id"]): row for row in self._batches(object_type, ids)}
        current_ids: dict[str, str] = {}
        gone = []
        for one in ids:
            if one in rows:
                continue
            current_id = self._current_id(object_type, one)
            if not current_id:
                gone.append(one)
            else:
                current_ids[one] = current_id
        again = sorted({into for into in current_ids.values() if into not in rows})
        rows |= {str(row["id"]): row for row in self._batches(object_type, again)}
        if left_out := [into for into in again if into not in rows]:
            reason = f"{CRM} has {object_type} {left_out[0]}, and leaves it out of a batch"
            raise StoppedError(Pause(0, reason))
        # An object whose id is still its own was only left out of the first batch.
        survivor_of = {one: into for one, into in current_ids.items() if one != into}
        return list(rows.values()), survivor_of, gone

    def _batches(self, object_type: str, ids: Sequence[str]) -> Iterator[Row]:
        properties = read_properties(object_type, self._back)
        for start in range(0, len(ids), BATCH):
            body = {"inputs": [{"id": one} for one in ids[start : start + BATCH]], "properties": properties}
            answer = self._send(Call(method="POST", path=f"{self._path}/{object_type}/batch/read", body=body))
            if answer.status not in NOT_FOUND:
                yield from (row for row in dicts_in(checked(answer, CRM, classify).get("results")) if row.get("id"))

    def _current_id(self, object_type: str, object_id: str) -> str:
        """Returns the id of an object, or of the survivor it was merged into; "" if it is gone."""
        answer = self._send(Call(method="GET", path=f"{self._path}/{object_type}/{object_id}"))
        if answer.status in NOT_FOUND:
            return ""
        current_id = text(checked(answer, CRM, classify).get("id"))
        if not current_id:
            raise StoppedError(Pause(0, f"{CRM} gave no id of {object_type} {object_id}, HTTP {answer.status}"))
        return current_id


def _merges(object_type: str, survivor_of: dict[str, str], found: Sequence[Change]) -> Iterator[Change]:
    """Yields the changes of merged objects, except those that ``found`` has already."""
    kind = KINDS.get(object_type)
    named = {one.id for one in found if one.fate is Fate.MERGED}
    survivors = {one.id: one for one in found if one.fate is Fate.PRESENT}
    for one, into in survivor_of.items():
        survivor = survivors.get(into)
        if kind is None or survivor is None or one in named:
            continue
        is_contact = kind is ObjectKind.CONTACT  # a merged company or deal counts as deleted
        yield Change(
            kind=kind, id=one, fate=Fate.MERGED if is_contact else Fate.DELETED, into=into if is_contact else "",
            people=survivor.people if is_contact else (), modified_ms=survivor.modified_ms,
        )  # fmt: skip


def _deletions(object_type: str, gone: Iterable[str], wanted: dict[str, Changed]) -> Iterator[Change]:
    """Yields the deletions of objects that are gone; none for activities."""
    if kind := KINDS.get(object_type):
        for one in gone:
            yield Change(kind=kind, id=one, fate=Fate.DELETED, modified_ms=wanted[one].at_ms)
