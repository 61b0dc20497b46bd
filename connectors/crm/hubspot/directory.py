"""What HubSpot's account has: its properties and its owners, read again from time to time."""

from typing import Final

from connectors.crm.directory import MAX_AGE_MS, usable
from connectors.crm.exchange import Answer, Call, Send, dicts_in
from connectors.crm.fault import StoppedError
from connectors.crm.hubspot.answers import CRM, checked
from connectors.crm.hubspot.calls import CONTACTS, KEY, NOTE_KEY, NOTES, Calls
from connectors.crm.sink import Pause, SinkError
from pipeline.clock import Clock

MAX_PAGES: Final = 100


class Directory:
    """The account's properties and owners.

    Raises (every method):
        StoppedError: HubSpot is not available now.
        SinkError: A right is missing, or the account lacks what `stitchline crm setup` creates.
    """

    def __init__(self, calls: Calls, send: Send, clock: Clock) -> None:
        self._calls, self._send, self._clock = calls, send, clock
        self._read_ms = 0
        self._contact: dict[str, str] = {}
        self._owners: frozenset[str] = frozenset()

    def properties(self, *, story: bool) -> dict[str, str]:
        """Returns the contact properties, name → type. ``story``: notes are needed too."""
        self._refresh(story=story)
        return self._contact

    def owners(self) -> frozenset[str]:
        """Returns the ids of the active owners."""
        return self._owners

    def forget(self) -> None:
        """Reads everything again at the next call."""
        self._read_ms = 0

    def types_of(self, object_type: str) -> dict[str, str]:
        """Returns property → type, read now."""
        answer = self._answer_to(self._calls.properties(object_type))
        return {str(one["name"]): str(one.get("type", "")) for one in _results(answer)}

    def groups_of(self, object_type: str) -> set[str]:
        """Returns the names of the property groups, read now."""
        return {str(one["name"]) for one in _results(self._answer_to(self._calls.property_groups(object_type)))}

    def owners_now(self) -> frozenset[str]:
        """Returns the ids of the active owners, read now."""
        ids: set[str] = set()
        after = ""
        for _ in range(MAX_PAGES):
            answer = self._answer_to(self._calls.owners(after))
            ids |= {str(one["id"]) for one in _results(answer) if not one.get("archived")}
            after = str(((answer.body.get("paging") or {}).get("next") or {}).get("after") or "")
            if not after:
                break
        return frozenset(ids)

    def _refresh(self, *, story: bool) -> None:
        now_ms = self._clock()
        if self._read_ms and now_ms - self._read_ms < MAX_AGE_MS:
            return
        contact = self.types_of(CONTACTS)
        missing = [name for name in (KEY,) if name not in contact]
        if story and NOTE_KEY not in self.types_of(NOTES):
            missing.append(NOTE_KEY)
        if missing:
            message = f"{CRM} has no property {' and no '.join(missing)}; run: stitchline crm setup NAME"
            raise SinkError(message)
        self._owners = self.owners_now()
        self._contact, self._read_ms = contact, now_ms

    def _answer_to(self, call: Call) -> Answer:
        answer = self._send(call)
        usable(CRM, call, answer, checked(answer))
        if not isinstance(answer.body, dict):
            raise StoppedError(Pause(0, f"{CRM} gave no usable answer, {answer.words()}"))
        return answer


def _results(answer: Answer) -> list[dict[str, object]]:
    return dicts_in(answer.body.get("results"))
