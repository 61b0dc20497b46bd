"""What the environment has: the columns of leads and contacts, enabled users and teams. Read again at times."""

from typing import Any, Final

from connectors.crm.directory import Account, AccountDirectory, usable
from connectors.crm.dynamics.answers import CRM, checked, rows_of
from connectors.crm.dynamics.calls import CONTACT, LEAD, OWNER, Calls
from connectors.crm.exchange import Answer, Call, Send
from connectors.crm.fault import StoppedError
from connectors.crm.sink import Pause, SinkError
from connectors.crm.typed import BOOLEAN, DATETIME, NUMBER, TEXT
from connectors.crm.work import Names
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

KINDS: Final = {
    "String": TEXT, "Memo": TEXT, "Integer": NUMBER, "BigInt": NUMBER, "Decimal": NUMBER, "Double": NUMBER,
    "Money": NUMBER, "Picklist": NUMBER, "DateTime": DATETIME, "Boolean": BOOLEAN, "Owner": TEXT,
}  # fmt: skip
"""Types of the columns that can be written."""


class Directory(AccountDirectory):
    """The columns of leads and contacts, and the owners that ``crm.yaml`` names.

    Raises (every method):
        StoppedError: Dynamics is not available now.
        SinkError: A right is missing, or the environment lacks what `stitchline crm setup` creates.
    """

    def __init__(self, connection: CrmConnection, calls: Calls, names: Names, send: Send, clock: Clock) -> None:
        super().__init__(clock)
        self._calls, self._names, self._send = calls, names, send
        named = {owner.id for owner in connection.owners} | {connection.fallback_owner}
        self._named = {name.lower() for name in named if name}
        self.teams: frozenset[str] = frozenset()
        """The owners that are teams."""

    def described(self, object_type: str) -> list[dict[str, Any]]:
        """Returns the columns of a table as Dataverse describes them, read now."""
        columns = rows_of(self.answer_to(self._calls.columns(object_type)))
        if not columns:
            raise StoppedError(Pause(0, f"{CRM} gave no usable description of {object_type}"))
        return columns

    def answer_to(self, call: Call) -> Answer:
        """Returns the answer to a request that must succeed."""
        answer = self._send(call)
        return usable(CRM, call, answer, checked(answer))

    def _read(self) -> Account:
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
        return Account(fields, users | self.teams)

    def _existing(self, table: str, column: str, more: str = "") -> frozenset[str]:
        if not self._named:
            return frozenset()
        rows = rows_of(self.answer_to(self._calls.ids_of(table, column, self._named, more)))
        return frozenset(str(row.get(column)) for row in rows)
