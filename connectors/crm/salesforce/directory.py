"""What the user of the access token sees in Salesforce: writable fields and active owners. Read again at times."""

from typing import Any, Final

from connectors.crm.directory import Account, AccountDirectory, usable
from connectors.crm.exchange import Answer, Call, Send, dicts_in
from connectors.crm.fault import StoppedError
from connectors.crm.salesforce.answers import CRM, checked, rows_of
from connectors.crm.salesforce.calls import CONTACT, LEAD, NAMES, Calls
from connectors.crm.sink import Pause, SinkError
from connectors.crm.typed import BOOLEAN, DATETIME, NUMBER, TEXT
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

_KINDS: Final = {
    "double": NUMBER, "int": NUMBER, "long": NUMBER, "currency": NUMBER, "percent": NUMBER, "datetime": DATETIME,
    "boolean": BOOLEAN,
}  # fmt: skip


class Directory(AccountDirectory):
    """The fields of leads and contacts, and the owners that ``crm.yaml`` names.

    Raises (every method):
        StoppedError: Salesforce is not available now.
        SinkError: A right is missing, or the account lacks what `stitchline crm setup` creates.
    """

    def __init__(self, connection: CrmConnection, calls: Calls, send: Send, clock: Clock) -> None:
        super().__init__(clock)
        self._calls, self._send = calls, send
        named = {owner.id for owner in connection.owners} | {connection.fallback_owner}
        self._named = sorted(name for name in named if name.isalnum())

    def described(self, object_type: str) -> list[dict[str, Any]]:
        """Returns the fields of an object type as Salesforce describes them, read now."""
        answer = self.answer_to(self._calls.describe(object_type))
        fields = answer.body.get("fields") if isinstance(answer.body, dict) else None
        if not isinstance(fields, list):
            raise StoppedError(Pause(0, f"{CRM} gave no usable description of {object_type}, {answer.words()}"))
        return dicts_in(fields)

    def answer_to(self, call: Call) -> Answer:
        """Returns the answer to a request that must succeed."""
        answer = self._send(call)
        return usable(CRM, call, answer, checked(answer))

    def _read(self) -> Account:
        fields = {
            object_type: {
                str(one["name"]): _KINDS.get(str(one.get("type")), TEXT)
                for one in self.described(object_type)
                if one.get("createable") and one.get("updateable")
            }
            for object_type in (LEAD, CONTACT)
        }
        if NAMES.action not in fields[LEAD]:
            message = f"{CRM} has no field {NAMES.action} that the user may write; run: stitchline crm setup NAME"
            raise SinkError(message)
        return Account(fields, self._owners_now())

    def _owners_now(self) -> frozenset[str]:
        ids: set[str] = set()
        for prefix, table, condition in (("005", "User", "IsActive = true"), ("00G", "Group", "Type = 'Queue'")):
            named = ", ".join(f"'{name}'" for name in self._named if name.startswith(prefix))
            if named:
                soql = f"SELECT Id FROM {table} WHERE {condition} AND Id IN ({named})"  # noqa: S608  ids only
                ids |= {str(row.get("Id")) for row in rows_of(self.answer_to(self._calls.query(soql)))}
        return frozenset(ids)
