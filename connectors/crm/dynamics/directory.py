"""What the environment has: the columns of leads and contacts, enabled users and teams. Read again at times."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.crm.dynamics.answers import CRM, checked, rows_of
from connectors.crm.dynamics.calls import CONTACT, LEAD, OWNER, Calls
from connectors.crm.exchange import Answer, Call, Send
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.sink import Pause, SinkError
from connectors.crm.typed import BOOLEAN, DATETIME, NUMBER, TEXT
from connectors.crm.work import Names
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

MAX_AGE_MS: Final = 600_000
KINDS: Final = {
    "String": TEXT, "Memo": TEXT, "Integer": NUMBER, "BigInt": NUMBER, "Decimal": NUMBER, "Double": NUMBER,
    "Money": NUMBER, "Picklist": NUMBER, "DateTime": DATETIME, "Boolean": BOOLEAN, "Owner": TEXT,
}  # fmt: skip
"""Types of the columns that can be written."""


class Directory:
    """The columns of leads and contacts, and the owners that ``crm.yaml`` names.

    Raises (every method):
        StoppedError: Dynamics is not available now.
        SinkError: A right is missing, or the environment lacks what `stitchline crm setup` creates.
    """

    def __init__(self, connection: CrmConnection, calls: Calls, names: Names, send: Send, clock: Clock) -> None:
        self._calls, self._names, self._send, self._clock = calls, names, send, clock
        named = {owner.id for owner in connection.owners} | {connection.fallback_owner}
        self._named = {name.lower() for name in named if name}
        self._read_ms = 0
        self._fields: dict[str, dict[str, str]] = {}
        self._owners: frozenset[str] = frozenset()
        self.teams: frozenset[str] = frozenset()
        """The owners that are teams."""

    def fields(self, object_type: str) -> Mapping[str, str]:
        """Returns the writable columns of a table, name → kind."""
        self._refresh()
        return self._fields[object_type]

    def owners(self) -> frozenset[str]:
        """Returns the enabled users and the teams among the owners that ``crm.yaml`` names."""
        self._refresh()
        return self._owners

    def forget(self) -> None:
        """Reads everything again at the next call."""
        self._read_ms = 0

    def described(self, object_type: str) -> list[dict[str, Any]]:
        """Returns the columns of a table as Dataverse describes them, read now."""
        columns = rows_of(self.answer_to(self._calls.columns(object_type)))
        if not columns:
            raise StoppedError(Pause(0, f"{CRM} gave no usable description of {object_type}"))
        return columns

    def answer_to(self, call: Call) -> Answer:
        """Returns the answer to a request that must succeed."""
        answer = self._send(call)
        failed = checked(answer)
        if failed is not None and failed.fault is Fault.GONE:
            message = f"{CRM} does not know {call.path} ({failed.words}); correct version in crm.yaml"
            raise SinkError(message)
        if failed is not None:
            raise StoppedError(Pause(0, f"{CRM} gave no usable answer, {failed.words}"))
        return answer

    def _refresh(self) -> None:
        now_ms = self._clock()
        if self._read_ms and now_ms - self._read_ms < MAX_AGE_MS:
            return
        fields = {
            object_type: {
                str(one.get("LogicalName")): KINDS[str(one.get("AttributeType"))]
                for one in self.described(object_type)
                if one.get("AttributeType") in KINDS and one.get("IsValidForCreate") and one.get("IsValidForUpdate")
            }
            for object_type in (LEAD, CONTACT)
        }
        if self._names.action not in fields[LEAD]:
            message = f"{CRM} has no column {self._names.action} of {LEAD}; run: stitchline crm setup NAME"
            raise SinkError(message)
        users = self._existing("systemusers", "systemuserid", " and isdisabled eq false")
        self.teams = self._existing("teams", "teamid")
        for columns in fields.values():
            columns.setdefault(OWNER, TEXT)
        self._owners = users | self.teams
        self._fields, self._read_ms = fields, now_ms

    def _existing(self, table: str, column: str, more: str = "") -> frozenset[str]:
        if not self._named:
            return frozenset()
        rows = rows_of(self.answer_to(self._calls.ids_of(table, column, self._named, more)))
        return frozenset(str(row.get(column)) for row in rows)
