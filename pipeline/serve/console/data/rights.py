"""Requests about persons: the same functions as those of the API and of ``stitchline privacy``."""

from io import BytesIO
from typing import Final

from pipeline.control.send_command import DECISION
from pipeline.privacy.access import write_zip
from pipeline.privacy.person import Person
from pipeline.privacy.progress import RequestProgress, UnknownRequestError
from pipeline.privacy.requests import PersonRequests, RightKind
from pipeline.serve.console.views import PersonRequest
from pipeline.serve.receipts import Receipts, SentRequest

ERASE: Final = "erase"


class RightsData:
    """Reads and sends requests. Every method but ``named`` reaches Kafka."""

    def __init__(self, persons: PersonRequests, receipts: Receipts) -> None:
        self._persons, self._receipts = persons, receipts

    def named(self, tenant: str, text: str) -> Person:
        """Returns the person as far as it is known by the given identifier. Raises NotAnIdentifierError."""
        return self._persons.named(tenant, text)

    def find(self, named: Person) -> Person:
        """Returns the whole person, through all merges, the given identifier first."""
        return self._persons.find(named)

    def written_out(self, named: Person) -> tuple[Person, bytes]:
        """Returns the person, and everything that its tenant holds about it as a ZIP file."""
        person, report = self._persons.access(named)
        file = BytesIO()
        write_zip(file, report)
        return person, file.getvalue()

    def send(self, kind: RightKind, person: Person, user: str, why: str) -> str:
        """Sends a request. Returns the part of its id that a path can hold."""
        return self._receipts.send(kind, person, f"user {user}", why).removeprefix(DECISION)

    def all(self, tenant: str) -> list[PersonRequest]:
        """Returns every request of a tenant, newest first, whether a command, the API or the console sent it."""
        decided, sent = self._persons.all(tenant), self._receipts.all(tenant)
        found = [_of(progress.request, sent.pop(progress.request, None), progress) for progress in decided]
        waiting = [_of(request, row, None) for request, row in sent.items()]
        return sorted([*waiting, *found], key=lambda item: -item.at_ms)

    def one(self, tenant: str, request_id: str) -> PersonRequest | None:
        """Returns a request with its receipt, or None if the tenant has no such request."""
        request = f"{DECISION}{request_id}"
        sent = self._receipts.one(tenant, request)
        try:
            progress = self._persons.progress(tenant, request)
        except UnknownRequestError:
            return None if sent is None else _of(request, sent, None)
        found = _of(request, sent, progress)
        if progress.kind != ERASE or (sent is not None and sent.receipt is not None):
            return found
        limits = self._persons.log_limits(progress)
        return found._replace(limits=limits, is_searching=self._receipts.is_searching(request))


def _of(request: str, sent: SentRequest | None, progress: RequestProgress | None) -> PersonRequest:
    return PersonRequest(request.removeprefix(DECISION), sent, progress)
