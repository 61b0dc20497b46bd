"""What the contract suite and the crash tests need of an emulator of any CRM."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2

LOST_BEFORE, LOST_AFTER = "lost before", "lost after"
KEY_EXPIRED, SLOW_DOWN, DAY_LIMIT, UNAVAILABLE, SERVER_ERROR = "401", "429", "429 day", "503", "500"
EMPTY, SHORT, RACE, RIGHT_MISSING = "empty", "short", "race", "403"
PASSING = (LOST_BEFORE, LOST_AFTER, KEY_EXPIRED, SLOW_DOWN, DAY_LIMIT, UNAVAILABLE, SERVER_ERROR, EMPTY, SHORT, RACE)
"""Every class of fault that passes by itself."""
SECRET, REFRESH = "env:CRM_SECRET", "env:CRM_REFRESH"


class Crm(ABC):
    """A CRM in memory that answers HTTP requests in its vendor's shapes."""

    name: str
    """As messages call the CRM."""
    kind: str
    home: str
    """Type of the object that a lead becomes, in lower case."""
    connection: Mapping[str, Any]
    """Fields of the ``CrmConnection`` to this CRM: url, login, fields."""
    owners_by_name: Mapping[str, str]
    """Owner ids of the representatives ann (active) and gone (inactive), of fallback (active) and human (active)."""
    upserts: re.Pattern[str]
    """Matches method and path of the requests that create leads."""
    updates: re.Pattern[str]
    """Matches the requests that update leads."""
    follows: re.Pattern[str]
    """Matches the requests that look for what became of a missing object."""
    names_survivor = True
    """Whether the CRM states into which object a missing one was merged."""
    adopts = True
    """Whether the CRM names the object that has the e-mail address of a new one."""
    converts = True
    """Whether a lead becomes a contact when a representative converts it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Method and path of every request."""
        self.longest_url = 0
        self.planned: list[str] = []
        """Faults of the next write requests, in order; "" for none."""
        self.chance: Callable[[], str] = str
        """The fault of a write request for which none is planned."""
        self.at_request: Callable[[str], None] = lambda _moment: None
        """Called with "send" before a request takes effect and "sent" after it; may raise."""
        self.secrets: dict[str, str] = {SECRET: "s-1", REFRESH: "r-1"}
        """The secrets that are valid now, by their references."""
        self.history: list[tuple[str, str, str]] = []
        """Object id, action id and score of every write of a score."""
        self.reverts_owner = False
        """Whether an automation replaces each owner by ``human``."""
        self.refuses = ("", "")
        """A field and the value that a rule of the account refuses in it."""
        self.keeps_records = False
        """Whether an automation refuses each deletion."""

    def transport(self) -> httpx2.MockTransport:
        """The transport of a client that talks to this CRM."""
        return httpx2.MockTransport(self.handle)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        """Answers one request, with the fault that is planned for it."""
        self.calls.append(f"{request.method} {request.url.path}")
        self.longest_url = max(self.longest_url, len(str(request.url)))
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

    def rotate(self) -> None:
        """Replaces the secret. Every key and token is refused from now on."""
        self.secrets[SECRET] = f"s-{int(self.secrets[SECRET][2:]) + 1}"
        self.expire()

    def expire(self) -> None:  # noqa: B027  not every CRM has tokens
        """Lets every token expire."""

    @abstractmethod
    def prepare(self) -> None:
        """Creates our fields, as the set-up does."""

    @abstractmethod
    def remove_field(self, field: str) -> None:
        """An administrator deletes the field with this name of ``FIELDS``."""

    @abstractmethod
    def add_fields(self, names: Sequence[str]) -> None:
        """An administrator adds text fields."""

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
        """Object id → fields under the names of ``FIELDS``, of all leads and contacts in use."""

    @abstractmethod
    def raw(self, lead_id: str) -> Mapping[str, Any]:
        """The fields of an object under the CRM's names."""

    @abstractmethod
    def stories(self, lead_id: str) -> Sequence[str]:
        """The notes of an object."""

    @abstractmethod
    def note_count(self) -> int:
        """The number of notes in the whole account."""

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

    def convert_by_hand(self, lead_id: str) -> str:
        """A representative converts a lead. Returns the id of the contact."""
        raise NotImplementedError(lead_id)


FIELDS = ("action", "revision", "profile", "email", "phone", "first", "owner", "reason", "score", "grade")
