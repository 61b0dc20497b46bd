"""A world whose CRM keeps segments, scores and traits, under names that the CRM allows."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.crm.action_log import Refusal
from connectors.crm.connect import gateway_of
from connectors.crm.ledger import Ledger
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.sync.board import Board
from connectors.crm.sync.plan import Planner
from connectors.crm.sync.resync import Resync, Totals
from connectors.crm.sync.updates import Feed
from connectors.crm.sync.writer import SyncWriter
from pipeline.rules.crm_sync import CrmSync, SyncField
from tests.crm.world import World
from tests.support.crm_log import MemoryUpdates, Stop

FORMS: Mapping[str, str] = {"hubspot": "{}", "salesforce": "{}__c", "dynamics": "new_{}", "zoho": "Now_{}"}
VALUES = {
    "vip": SyncField(to="x", value="segment.vip"),
    "listed": SyncField(to="x", value="segments", segments=("vip", "buyers")),
    "warmth": SyncField(to="x", value="score.engagement", decimals=0),
    "plan": SyncField(to="x", value="trait.plan"),
}
BLANK = {"vip": False, "listed": "", "warmth": None, "plan": ""}


class SyncWorld(World):
    """Fields that follow profiles, created by the set-up."""

    def __init__(self, kind: str, *, every_seconds: float = 0, **sync: Any) -> None:
        self.named = {name: FORMS[kind].format(name) for name in VALUES}
        fields = tuple(
            SyncField(to=self.named[name], value=one.value, segments=one.segments, decimals=one.decimals)
            for name, one in VALUES.items()
        )
        sync = {"fields": fields, "every_seconds": every_seconds, **sync}
        super().__init__(kind, sync=CrmSync(**sync))
        done = self.sink(Ledger()).setup(dry_run=False)
        assert all(one.ok for one in done), done
        assert len([one for one in done if one.text.startswith("created: ")]) >= len(VALUES)

    def values(self, object_id: str) -> dict[str, Any]:
        """What an object holds, in one form for all CRMs."""
        raw = {name: self.crm.raw(object_id).get(named) for name, named in self.named.items()}
        return {
            "vip": raw["vip"] in {True, "true"},
            "listed": raw["listed"] or "",
            "warmth": None if raw["warmth"] in {None, ""} else float(raw["warmth"]),
            "plan": raw["plan"] or "",
        }

    def lead_values(self, number: int) -> dict[str, Any]:
        """What the object of an action holds."""
        return self.values(self.lead_id(f"{number:032x}"))

    def stop(self) -> Stop:
        """A stop signal that is not set."""
        return Stop(self.clock)

    def ledger(self) -> Ledger:
        """The ledger of a new runner."""
        ledger = Ledger()
        ledger.apply(self.topics.ledger)
        return ledger

    def sync_rows(self) -> dict[str, LedgerRow]:
        """The rows about objects that follow a profile, as compaction leaves them, by their action ids."""
        return {name: row for name, row in self.topics.newest().items() if name.startswith("sync:")}

    def resync(self, *, segment: str = "", dry_run: bool = False, compare: bool = False) -> Totals:
        """Runs a resync, whose rows are committed."""
        fields = tuple(one for one in self.connection.sync.fields if not segment or one.states(segment))
        sync = msgspec.structs.replace(self.connection.sync, fields=fields)
        connection, ledger = msgspec.structs.replace(self.connection, sync=sync), self.ledger()
        self.sink(ledger)
        board, updates = Board(connection), MemoryUpdates(self.topics)
        while not updates.has_caught_up():
            for record in updates.poll():
                value = record.value()
                board.apply([((record.key() or b"").decode(), value and msgspec.json.decode(value))])

        def save(rows: Sequence[LedgerRow], refusals: Sequence[Refusal]) -> None:
            self.topics.ledger += rows
            self.topics.quarantine += refusals
            ledger.apply(rows)

        gateway = gateway_of(connection, self.http, self.clock)
        writer = SyncWriter(connection, gateway, ledger, self.clock, again=True, compare=compare)
        run = Resync(
            Feed("t", updates, msgspec.json.decode), board, Planner(board, ledger), writer, self.clock,
            partial=bool(segment),
        )  # fmt: skip
        return run.run(save, dry_run=dry_run, progress=lambda _done, _all: None)

    def writes(self, since: int = 0) -> int:
        """The number of requests that write existing objects, from a request on."""
        return len([call for call in self.crm.calls[since:] if self.crm.updates.fullmatch(call)])


def vip(score: float = 41.6, **fields: Any) -> dict[str, Any]:
    """The fields of a profile in both segments."""
    return {"segments": ["buyers", "vip"], "scores": {"engagement": score}, "traits": {"plan": "gold"}, **fields}


FULL = {"vip": True, "listed": "vip;buyers", "warmth": 42.0, "plan": "gold"}
