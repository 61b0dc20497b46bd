"""What Zoho's organisation has: the fields of leads and contacts, and active users. Read again at times."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.crm.exchange import Answer, Call, Send
from connectors.crm.fault import Fault, StoppedError
from connectors.crm.sink import Pause, SinkError
from connectors.crm.typed import BOOLEAN, DATETIME, NUMBER, TEXT
from connectors.crm.zoho.answers import CRM, checked, rows_of
from connectors.crm.zoho.calls import CONTACTS, CONVERTED, CONVERTED_CONTACT, LEADS, NAMES, Calls
from pipeline.clock import Clock

MAX_AGE_MS: Final = 600_000
MAX_PAGES: Final = 100
KINDS: Final = {
    "integer": NUMBER, "bigint": NUMBER, "double": NUMBER, "currency": NUMBER, "percent": NUMBER, "datetime": DATETIME,
    "boolean": BOOLEAN,
}  # fmt: skip


class Directory:
    """The fields and users of one organisation.

    Raises (every method):
        StoppedError: Zoho is not available now.
        SinkError: A right is missing, or the organisation lacks what `stitchline crm setup` creates.
    """

    def __init__(self, calls: Calls, send: Send, clock: Clock) -> None:
        self._calls, self._send, self._clock = calls, send, clock
        self._read_ms = 0
        self._fields: dict[str, dict[str, str]] = {}
        self._owners: frozenset[str] = frozenset()
        self.conversion: tuple[str, ...] = ()
        """The native fields of leads that state a conversion, if the organisation has them."""

    def fields(self, module: str) -> Mapping[str, str]:
        """Returns the writable fields of a module, API name → kind."""
        self._refresh()
        return self._fields[module]

    def owners(self) -> frozenset[str]:
        """Returns the ids of the active users."""
        self._refresh()
        return self._owners

    def forget(self) -> None:
        """Reads everything again at the next call."""
        self._read_ms = 0

    def described(self, module: str) -> list[dict[str, Any]]:
        """Returns the fields of a module as Zoho describes them, read now."""
        fields = rows_of(self.answer_to(self._calls.fields(module)), key="fields")
        if not fields:
            raise StoppedError(Pause(0, f"{CRM} gave no usable description of {module}"))
        return fields

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
        self._owners = self._users()
        self._fields, self._read_ms = fields, now_ms

    def _users(self) -> frozenset[str]:
        ids: set[str] = set()
        for page in range(1, MAX_PAGES + 1):
            answer = self.answer_to(self._calls.users(page))
            ids |= {str(one.get("id")) for one in rows_of(answer, key="users") if one.get("status") == "active"}
            info = answer.body.get("info") if isinstance(answer.body, dict) else None
            if not isinstance(info, dict) or info.get("more_records") is not True:
                break
        return frozenset(ids)
