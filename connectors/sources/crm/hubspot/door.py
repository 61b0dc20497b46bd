"""The requests to HubSpot's webhooks journal: its entries, their files, and a check of its subscriptions."""

from typing import Final
from urllib.parse import quote

from connectors.crm.exchange import Answer, Call, Send
from connectors.crm.fault import StoppedError
from connectors.crm.hubspot.answers import checked as classify
from connectors.crm.hubspot.subscriptions import Subscriptions
from connectors.crm.hubspot.tracked import tracked_types
from connectors.crm.sink import Pause, SinkError
from connectors.sources.crm.answers import NOT_FOUND, checked
from connectors.sources.crm.hubspot.entry import Entry, JournalFile, entry_of, file_of
from connectors.sources.crm.hubspot.objects import CRM
from pipeline.event.duration import HOUR_MS
from pipeline.rules.crm import CrmConnection
from pipeline.rules.crm_back import CrmJournal

NO_CONTENT: Final = 204
"""HubSpot's answer if there is no newer entry. Source: the guide's list of success codes."""
CHECK_EVERY_MS: Final = HOUR_MS
"""Interval between two reads of the subscriptions."""
MAX_TRIES: Final = 3
"""Number of times that a file is read before it counts as not understood."""
_EXPIRED_OFFSET: Final = NOT_FOUND | {400}
"""Statuses for an offset that has expired or does not exist. HubSpot documents 404, from version 2027-03-beta on."""
_EXPIRED_URL: Final = NOT_FOUND | {400, 401, 403}
"""Statuses with which file stores refuse an expired signature. HubSpot documents none."""


class OffsetRefusedError(Exception):
    """The offset does not exist, or has expired."""


class JournalDoor:
    """The journal of one account.

    Raises (every method):
        StoppedError: HubSpot is not available now, or gave an answer that is not understood.
        SinkError: A right or a subscription is missing, or HubSpot refuses the request itself.
    """

    def __init__(self, connection: CrmConnection, journal: CrmJournal, send: Send) -> None:
        self._name, self._portal, self._send = connection.name, journal.portal, send
        self._path = f"/webhooks-journal/journal-local/{journal.version}"
        self._types = frozenset(tracked_types(connection.back))
        self._subscriptions = Subscriptions(journal, connection.back, send)
        self._checked_ms, self._subscribed_ms = 0, 0
        self._tries: dict[str, int] = {}

    def subscribed_ms(self, now_ms: int) -> int:
        """Returns when the needed subscriptions were last changed, in ms since 1970. Reads them once an hour."""
        if not self._checked_ms or now_ms - self._checked_ms >= CHECK_EVERY_MS:
            there = self._subscriptions.read()
            if lacking := self._subscriptions.lacking(there):
                message = (
                    f"{CRM}'s journal has no subscription {lacking[0].text()}; run: stitchline crm setup {self._name}"
                )
                raise SinkError(message)
            self._checked_ms, self._subscribed_ms = now_ms, self._subscriptions.changed_ms(there)
        return self._subscribed_ms

    def latest(self) -> str:
        """Returns the offset of the newest entry; "" if the journal is empty."""
        entry = self._entry("latest", is_end=True)
        return entry.offset if entry is not None else ""

    def next(self, offset: str) -> Entry | None:
        """Returns the entry after an offset, the earliest one for "", or None if there is none yet.

        Raises:
            OffsetRefusedError: The offset does not exist, or has expired.
        """
        entry = self._entry(f"offset/{quote(offset, safe='')}/next" if offset else "earliest", is_end=not offset)
        if entry is not None and entry.offset == offset:
            raise StoppedError(Pause(0, f"{CRM}'s journal does not go on after an offset"))
        return entry

    def file(self, offset: str, entry: Entry) -> JournalFile | None:
        """Returns the file of ``entry``, the one after ``offset``; None if ``MAX_TRIES`` reads were not understood."""
        answer = self._fetched(entry)
        if answer.status in _EXPIRED_URL:  # its signature is valid for a short time: request a new one
            newer = self.next(offset)
            if newer is None or newer.offset != entry.offset:
                raise StoppedError(Pause(0, f"{CRM}'s journal gave another entry after the same offset"))
            answer = self._fetched(newer)
        if not answer.ok:  # the reason omits the body: it may be part of a file, with personal data
            raise StoppedError(Pause(answer.retry_after_ms, f"a file of {CRM}'s journal: HTTP {answer.status}"))
        file = file_of(answer.body, self._portal, self._types)
        tries = self._tries.get(entry.offset, 0) + 1
        if file is not None:
            self._tries.clear()
        elif tries < MAX_TRIES:
            self._tries = {entry.offset: tries}
            raise StoppedError(Pause(0, f"a file of {CRM}'s journal is not understood, try {tries} of {MAX_TRIES}"))
        return file

    def _fetched(self, entry: Entry) -> Answer:
        return self._send(Call(method="GET", path=entry.url, login="none", policy="journal"))

    def _entry(self, place: str, *, is_end: bool) -> Entry | None:
        """Requests an entry. ``is_end``: the earliest or newest one, for which 404 means that the journal is empty."""
        path = f"{self._path}/{place}?installPortalId={self._portal}"
        answer = self._send(Call(method="GET", path=path, login="journal", policy="journal"))
        if answer.status == NO_CONTENT or (is_end and answer.status in NOT_FOUND):
            return None
        if not is_end and answer.status in _EXPIRED_OFFSET:
            raise OffsetRefusedError
        entry = entry_of(checked(answer, CRM, classify))
        if entry is None:
            raise StoppedError(Pause(0, f"{CRM}'s journal gave an entry that is not understood, HTTP {answer.status}"))
        return entry
