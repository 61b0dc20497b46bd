"""What the contract suite and the crash tests need of an emulator of any CRM."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import httpx2

LOST_BEFORE, LOST_AFTER = "lost before", "lost after"
KEY_EXPIRED, SLOW_DOWN, DAY_LIMIT, UNAVAILABLE, SERVER_ERROR = "401", "429", "429 day", "503", "500"
EMPTY, SHORT, RACE, RIGHT_MISSING = "empty", "short", "race", "403"
PASSING = (LOST_BEFORE, LOST_AFTER, KEY_EXPIRED, SLOW_DOWN, DAY_LIMIT, UNAVAILABLE, SERVER_ERROR, EMPTY, SHORT, RACE)
"""Every class of fault that passes by itself."""


class Crm(ABC):
    """A CRM in memory that answers HTTP requests in its vendor's shapes."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Method and path of every request."""
        self.planned: list[str] = []
        """Faults of the next write requests, in order; "" for none."""
        self.chance: Callable[[], str] = str
        """The fault of a write request for which none is planned."""
        self.at_request: Callable[[str], None] = lambda _moment: None
        """Called with "send" before a request takes effect and "sent" after it; may raise."""

    def transport(self) -> httpx2.MockTransport:
        """The transport of a client that talks to this CRM."""
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        self.at_request("send")
        fault = ""
        if self.is_write(request):
            fault = self.planned.pop(0) if self.planned else self.chance()
        if fault == LOST_BEFORE:
            raise httpx2.ConnectError(fault)
        refused = self.refusal(fault)
        answer = refused if refused is not None else self.answer(request, fault)
        self.at_request("sent")
        if fault == LOST_AFTER:
            raise httpx2.ReadTimeout(fault)
        return answer

    @abstractmethod
    def is_write(self, request: httpx2.Request) -> bool:
        """Whether faults may happen to the request."""

    @abstractmethod
    def refusal(self, fault: str) -> httpx2.Response | None:
        """The answer of a fault for which nothing is done."""

    @abstractmethod
    def answer(self, request: httpx2.Request, fault: str) -> httpx2.Response:
        """Does what the request asks for, with the fault of a part of it."""

    @abstractmethod
    def leads(self) -> dict[str, dict[str, str]]:
        """Object id → fields under the names of ``FIELDS``, of all objects that are not deleted."""

    @abstractmethod
    def stories(self, lead_id: str) -> Sequence[str]:
        """The notes of an object."""

    @abstractmethod
    def add_by_hand(self, email: str, **fields: str) -> str:
        """A human's object. Returns its id."""

    @abstractmethod
    def edit_by_hand(self, lead_id: str, **fields: str) -> None:
        """A human changes fields."""

    @abstractmethod
    def delete_by_hand(self, lead_id: str) -> None:
        """A human deletes an object."""

    @abstractmethod
    def merge_by_hand(self, survivor: str, loser: str) -> str:
        """A human merges two objects. Returns the id of the survivor."""


FIELDS = ("action", "revision", "profile", "email", "phone", "first", "owner", "reason", "score")
