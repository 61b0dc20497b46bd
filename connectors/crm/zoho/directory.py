"""What Zoho's organisation has: the fields of leads and contacts, and active users. Read again at times."""

from typing import Any, Final

from connectors.crm.directory import Account, AccountDirectory, usable
from connectors.crm.exchange import Answer, Call, Send
from connectors.crm.fault import StoppedError
from connectors.crm.sink import Pause, SinkError
from connectors.crm.typed import BOOLEAN, DATETIME, NUMBER, TEXT
from connectors.crm.zoho.answers import CRM, checked, rows_of
from connectors.crm.zoho.calls import CONTACTS, CONVERTED, CONVERTED_CONTACT, LEADS, NAMES, Calls
from pipeline.clock import Clock

MAX_PAGES: Final = 100
KINDS: Final = {
    "integer": NUMBER, "bigint": NUMBER, "double": NUMBER, "currency": NUMBER, "percent": NUMBER, "datetime": DATETIME,
    "boolean": BOOLEAN,
}  # fmt: skip


class Directory(AccountDirectory):
    """The fields and users of one organisation.

    Raises (every method):
        StoppedError: Zoho is not available now.
        SinkError: A right is missing, or the organisation lacks what `stitchline crm setup` creates.
    """

    def __init__(self, calls: Calls, send: Send, clock: Clock) -> None:
        super().__init__(clock)
        self._calls, self._send = calls, send
        self.conversion: tuple[str, ...] = ()
        """The native fields of leads that state a conversion, if the organisation has them."""

    def described(self, module: str) -> list[dict[str, Any]]:
        """Returns the fields of a module as Zoho describes them, read now."""
        fields = rows_of(self.answer_to(self._calls.fields(module)), key="fields")
        if not fields:
            raise StoppedError(Pause(0, f"{CRM} gave no usable description of {module}"))
        return fields

    def answer_to(self, call: Call) -> Answer:
        """Returns the answer to a request that must succeed."""
        answer = self._send(call)
        return usable(CRM, call, answer, checked(answer))

    def _read(self) -> Account:
        described = {module: self.described(module) for module in (LEADS, CONTACTS)}
        fields = {
            module: {
                str(one.get("api_name")): KINDS.get(str(one.get("data_type")), TEXT)
                for one in rows
                if not one.get("read_only") and not one.get("field_read_only")
            }
            for module, rows in described.items()
        }
        if NAMES.action not in fields[LEADS]:
            message = f"{CRM} has no field {NAMES.action} of {LEADS}; run: stitchline crm setup NAME"
            raise SinkError(message)
        names = {str(one.get("api_name")) for one in described[LEADS]}
        self.conversion = tuple(name for name in (CONVERTED, CONVERTED_CONTACT) if name in names)
        return Account(fields, self._users())

    def _users(self) -> frozenset[str]:
        ids: set[str] = set()
        for page in range(1, MAX_PAGES + 1):
            answer = self.answer_to(self._calls.users(page))
            ids |= {str(one.get("id")) for one in rows_of(answer, key="users") if one.get("status") == "active"}
            info = answer.body.get("info") if isinstance(answer.body, dict) else None
            if not isinstance(info, dict) or info.get("more_records") is not True:
                break
        return frozenset(ids)
