"""Brings objects of a CRM up to date with the profiles that they follow.

1. Leave out objects whose fields all have the value last written, by the ledger.
2. Read the others; follow converted and merged ones. An object that is gone is never created again.
3. Write the fields whose value differs.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from connectors.crm.fault import PAUSES, Fault, StoppedError, pause_for
from connectors.crm.gateway import Gateway
from connectors.crm.ledger import LedgerView
from connectors.crm.ledger_row import sync_id
from connectors.crm.sink import Action, Delivered, NeedsReview, Refused, RetryLater
from connectors.crm.split import Failed, Written
from connectors.crm.split import Result as WriteResult
from connectors.crm.sync.target import Later, Target
from connectors.crm.sync.wanted import EMPTY, differences
from connectors.crm.work import Held, Owner, Work, kind_of, stop_if_denied
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection
from pipeline.rules.crm_sync import SyncField

MAX_HOPS: Final = 4
"""Conversions and merges in a row that are followed."""


class SyncWriter:
    """Writes through the gateway of one connection.

    Raises (every method):
        StoppedError: The CRM is not available now. Targets without a result are open.
        SinkError: A right is missing.
    """

    def __init__(
        self,
        connection: CrmConnection,
        gateway: Gateway,
        ledger: LedgerView,
        clock: Clock,
        *,
        again: bool = False,
        compare: bool = False,
    ) -> None:
        """``again``: also writes what was refused before, or to an object that was written a short time ago.

        ``compare``: compares with what the CRM holds instead of what the ledger does.
        """
        self._connection, self._gateway, self._ledger, self._clock = connection, gateway, ledger, clock
        self.sink = connection.name
        self._again, self._compare = again, compare
        self._wait_ms = 0 if again else round(connection.sync.every_seconds * 1000)

    def write(self, targets: Sequence[Target], tenant: str) -> None:
        """Gives each target a result, but to the second of two about one object."""
        followed: set[str] = set()
        for at in range(0, len(targets), self._gateway.batch):
            part = targets[at : at + self._gateway.batch]
            self._send(self.changed(part, tenant, followed), tenant)

    def changed(self, targets: Sequence[Target], tenant: str, followed: set[str] | None = None) -> list[Target]:
        """Returns the targets that need a write, with what it changes; gives all others a result.

        ``followed`` are the objects of earlier targets that follow a customer; those of these targets are added.
        """
        for target in targets:
            if target.result is None:
                self._look(target)
        self._read([target for target in targets if target.result is None], tenant)
        followed = followed if followed is not None else set()
        followed |= {target.object_id for target in targets if target.profile_id}
        for target in targets:
            if target.result is None and target.is_leaving and target.object_id in followed:
                target.result = target.gone(self.sink, self._clock())  # the CRM has merged it into another one
        return [target for target in targets if target.result is None]

    def _look(self, target: Target) -> None:
        """Compares a target with the ledger, if the type of its object is known."""
        if not target.object:
            if not target.written and all(value in EMPTY for value in target.wanted.values()):
                target.result = Delivered()
            return
        target.changed = self._differences(target)
        now_ms = self._clock()
        is_known_refusal = target.was_refused() and not self._again
        is_equal = not (target.changed or target.is_leaving or target.has_others)
        if not self._compare and (is_equal or is_known_refusal) and not target.retired:
            target.result = Delivered()
        elif target.has_others:
            return
        elif target.row is not None and target.wanted and target.row.written_ms + self._wait_ms > now_ms:
            target.result = Later(target.row.written_ms + self._wait_ms)

    def _differences(self, target: Target) -> dict[str, str]:
        fields, kinds = self._fields(target.object), self._gateway.fields(target.object)
        if self._compare or target.has_moved:
            return differences(fields, target.wanted, kinds, dict.fromkeys(target.written, ""))
        return differences(fields, target.wanted, kinds, target.written)

    def _fields(self, object_type: str) -> Mapping[str, SyncField]:
        return self._connection.sync.of(kind_of(object_type))

    def _read(self, targets: Sequence[Target], tenant: str) -> None:
        """Reads the objects, and leaves what differs in ``changed``."""
        for _ in range(MAX_HOPS):
            unread = [one for one in targets if one.result is None and one.current is None]
            for object_type in sorted({one.object or self._gateway.objects[0] for one in unread}):
                part = [one for one in unread if (one.object or self._gateway.objects[0]) == object_type]
                self._read_type(object_type, part, tenant)
        for target in targets:
            if target.result is None and target.current is None:
                target.result = RetryLater(0, f"{target.object} {target.object_id} was moved while it was read")

    def _read_type(self, object_type: str, targets: Sequence[Target], tenant: str) -> None:
        found = self._held(object_type, targets, tenant)
        for other in self._gateway.objects[1:]:
            if untyped := [one for one in targets if not one.object and one.object_id not in found]:
                found |= self._held(other, untyped, tenant)
        for target in targets:
            held = found.get(target.object_id) or self._missing(object_type, target, tenant)
            if held is not None:
                self._take(target, held)

    def _held(self, object_type: str, targets: Sequence[Target], tenant: str) -> dict[str, Held]:
        ids = sorted({one.object_id for one in targets})
        return self._gateway.read(object_type, ids, self._names(object_type), tenant)

    def _names(self, object_type: str) -> list[str]:
        known = self._fields(object_type).keys() & self._gateway.fields(object_type).keys()
        return sorted(known) or [self._gateway.names.action]

    def _missing(self, object_type: str, target: Target, tenant: str) -> Held | None:
        """Returns what became of an object that was not found; None if the target has a result."""
        answer = self._gateway.follow(object_type, target.object_id, self._names(object_type), tenant)
        if isinstance(answer, Held):
            return answer
        target.result = (
            RetryLater(0, answer.words) if isinstance(answer, Failed) else target.gone(self.sink, self._clock())
        )
        return None

    def _take(self, target: Target, held: Held) -> None:
        known_id = target.object_id
        target.object, target.object_id = held.moved_to or (held.object, held.id)
        target.has_moved = target.has_moved or target.object_id != known_id
        if not target.object_id:
            target.result = NeedsReview(f"{held.object} {held.id} was converted without a {target.object}")
        elif self._is_anothers(target):
            target.result = target.gone(self.sink, self._clock())
        elif held.moved_to is None:
            target.current = held.values
            target.changed = self._differences(target)
            if not (target.changed or target.retired or target.is_leaving):
                target.result = Delivered()

    def _is_anothers(self, target: Target) -> bool:
        """Returns whether the object that a target was merged or converted into follows another customer."""
        if target.object_id == target.name:
            return False
        rows = self._ledger.on_objects(target.tenant, [target.object_id])
        own = {"", *target.group, target.row.profile_id if target.is_leaving and target.row else ""}
        return any(row.profile_id not in own and row.action_id != sync_id(target.name) for row in rows)

    def _send(self, targets: Sequence[Target], tenant: str) -> None:
        works: list[tuple[Target, Work]] = []
        taken: set[str] = set()
        now_ms = self._clock()
        for target in targets:
            if target.object_id in taken:  # a CRM refuses a batch that has an object twice
                continue
            taken.add(target.object_id)
            if target.sent:
                works.append((target, self._work(target)))
            else:
                target.result = target.delivered(self.sink, now_ms) if self._differs(target) else Delivered()
        for object_type in sorted({work.object for _, work in works}):
            part = [(target, work) for target, work in works if work.object == object_type]
            part_works = [work for _, work in part]
            results = self._gateway.update(object_type, part_works, tenant)
            stop_if_denied(part_works, results, self._gateway.crm)
            for (target, _), result in zip(part, results, strict=True):
                self._settle(target, result)

    def _differs(self, target: Target) -> bool:
        """Returns whether the ledger has to learn what the CRM holds already, as after a lost answer."""
        kinds = self._gateway.fields(target.object)
        if target.retired or target.is_leaving:
            return True
        return bool(differences(self._fields(target.object), target.wanted, kinds, target.written))

    def _work(self, target: Target) -> Work:
        body = {
            "action_id": sync_id(target.name), "tenant": target.tenant, "profile_id": target.profile_id
        }  # fmt: skip
        return Work(
            Action(0, 0, body), Owner("", ""), self._gateway.names, object=target.object,
            object_id=target.object_id, current=target.current, sent=target.sent,
        )  # fmt: skip

    def _settle(self, target: Target, result: WriteResult) -> None:
        failed = result if isinstance(result, Failed) else Failed(Fault.NO_RESULT, "the result has no id")
        if isinstance(result, Written) and result.id:
            target.result = target.delivered(self.sink, self._clock())
        elif failed.fault in PAUSES:
            raise StoppedError(pause_for(failed.fault, failed.words))
        elif failed.fault is Fault.AMBIGUOUS:
            target.result = NeedsReview(failed.words)
        elif failed.fault in {Fault.BAD_RECORD, Fault.RIGHT_MISSING}:
            target.result = Refused(failed.words)
        else:  # our fields are not unique: a conflict is a race
            target.result = RetryLater(0, failed.words)
