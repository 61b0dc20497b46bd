"""What the user of the access token sees in Salesforce: writable fields and active owners. Read again at times."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.crm.exchange import Answer, Call, Send
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.salesforce.answers import CRM, checked, rows_of
from connectors.crm.salesforce.calls import CONTACT, LEAD, NAMES, Calls
from connectors.crm.sink import Pause, SinkError
from connectors.crm.typed import BOOLEAN, DATETIME, NUMBER, TEXT
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection

MAX_AGE_MS: Final = 600_000
_KINDS: Final = {
    "double": NUMBER, "int": NUMBER, "long": NUMBER, "currency": NUMBER, "percent": NUMBER, "datetime": DATETIME,
    "boolean": BOOLEAN,
}  # fmt: skip


class Directory:
    """The fields of leads and contacts, and the owners that ``crm.yaml`` names.

    Raises (every method):
        StoppedError: Salesforce is not available now.
        SinkError: A right is missing, or the account lacks what `stitchline crm setup` creates.
    """

    def __init__(self, connection: CrmConnection, calls: Calls, send: Send, clock: Clock) -> None:
        self._calls, self._send, self._clock = calls, send, clock
        named = {owner.id for owner in connection.owners} | {connection.fallback_owner}
        self._named = sorted(name for name in named if name.isalnum())
        self._read_ms = 0
        self._fields: dict[str, dict[str, str]] = {}
        self._owners: frozenset[str] = frozenset()

    def fields(self, object_type: str) -> Mapping[str, str]:
        """Returns the writable fields of an object type, name → kind."""
        self._refresh()
        return self._fields[object_type]

    def owners(self) -> frozenset[str]:
        """Returns the active users and queues among the owners that ``crm.yaml`` names."""
        self._refresh()
        return self._owners

    def forget(self) -> None:
        """Reads everything again at the next call."""
        self._read_ms = 0

    def described(self, object_type: str) -> list[dict[str, Any]]:
        """Returns the fields of an object type as Salesforce describes them, read now."""
        answer = self.answer_to(self._calls.describe(object_type))
        fields = answer.body.get("fields") if isinstance(answer.body, dict) else None
        if not isinstance(fields, list):
            raise StoppedError(Pause(0, f"{CRM} gave no usable description of {object_type}, {answer.words()}"))
        return [one for one in fields if isinstance(one, dict)]

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
                str(one["name"]): _KINDS.get(str(one.get("type")), TEXT)
                for one in self.described(object_type)
                if one.get("createable") and one.get("updateable")
            }
            for object_type in (LEAD, CONTACT)
        }
        if NAMES.action not in fields[LEAD]:
            message = f"{CRM} has no field {NAMES.action} that the user may write; run: stitchline crm setup NAME"
            raise SinkError(message)
        self._owners = self._owners_now()
        self._fields, self._read_ms = fields, now_ms

    def _owners_now(self) -> frozenset[str]:
        ids: set[str] = set()
        for prefix, table, condition in (("005", "User", "IsActive = true"), ("00G", "Group", "Type = 'Queue'")):
            named = ", ".join(f"'{name}'" for name in self._named if name.startswith(prefix))
            if named:
                soql = f"SELECT Id FROM {table} WHERE {condition} AND Id IN ({named})"  # noqa: S608  ids only
                ids |= {str(row.get("Id")) for row in rows_of(self.answer_to(self._calls.query(soql)))}
        return frozenset(ids)
