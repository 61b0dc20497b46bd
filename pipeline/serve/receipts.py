"""Requests about persons that the console sends, and the receipts of erasures.

An erased person's identifiers are needed to search the logs for what is left, and must be stored nowhere. They stay in
the memory of the process that sent the erasure until every partition has carried it out and the logs were searched. If
that process ends before, the receipt has no search: it states the limits that the topics' configuration sets.
"""

import threading
import time
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import KafkaException
from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from pipeline.clock import Clock, wall_clock_ms
from pipeline.errors import OperatorError
from pipeline.event.duration import DAY_MS
from pipeline.obs.log import logger
from pipeline.privacy.person import Person
from pipeline.privacy.requests import PersonRequests, RightKind
from pipeline.serve.model.store import Store
from pipeline.serve.model.tables import privacy_requests

FIRST_POLL_SECONDS: Final = 1.0
MAX_POLL_SECONDS: Final = 10.0
END_SECONDS: Final = 5.0
SEARCH_AGAIN_SECONDS: Final = 60.0
"""Pause after a search that found a current value: the CRM ledger's until the sink has deleted the object, or a CRM
reader's until the pull has run. Each further one is twice as long: a search reads every topic."""
SEARCHED_WITHIN_MS: Final = DAY_MS
"""An erasure that is not complete by then is not searched any more: no worker or no sink runs."""

log = logger(__name__)


class _Waiting:
    """An erasure behind which the logs are to be searched."""

    def __init__(self, person: Person, request: str, sent_ms: int) -> None:
        self.person, self.request, self.sent_ms = person, request, sent_ms
        self.pause_seconds, self.not_before = SEARCH_AGAIN_SECONDS, 0.0

    def search_later(self) -> None:
        """Lets the next search wait."""
        self.not_before = time.monotonic() + self.pause_seconds
        self.pause_seconds *= 2


class SentRequest(NamedTuple):
    """A request that a server of this deployment sent."""

    request: str
    kind: str
    actor: str
    sent_ms: int
    receipt: dict[str, Any] | None
    """None until the topics of a complete erasure were searched."""


class Receipts:
    """Sends requests, and searches the logs behind each erasure in a thread. Thread-safe; ``close`` it when done."""

    def __init__(self, store: Store, persons: PersonRequests, clock: Clock = wall_clock_ms) -> None:
        self._store, self._persons, self._clock = store, persons, clock
        self._waiting: dict[str, _Waiting] = {}
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def send(self, kind: RightKind, person: Person, actor: str, why: str) -> str:
        """Sends a request and returns its id once Kafka holds it. Raises as :class:`PersonRequests` does."""
        request, now_ms = self._persons.send(kind, person, actor, why), self._clock()
        row = {
            "tenant": person.tenant, "request": request, "kind": kind, "actor": actor, "sent_ms": now_ms,
            "receipt": b"",
        }  # fmt: skip
        with self._store.writing() as connection:
            connection.execute(insert(privacy_requests).values(row))
        if kind == "erase":
            self._search_later(request, person, now_ms)
        return request

    def one(self, tenant: str, request: str) -> SentRequest | None:
        """Returns a request that was sent by a server, or None."""
        wanted = select(privacy_requests).where(
            privacy_requests.c.tenant == tenant, privacy_requests.c.request == request
        )
        with self._store.reading() as connection:
            row = connection.execute(wanted).mappings().one_or_none()
        return None if row is None else _sent(row)

    def all(self, tenant: str) -> dict[str, SentRequest]:
        """Returns the requests that servers sent, by id, newest first."""
        wanted = select(privacy_requests).where(privacy_requests.c.tenant == tenant)
        with self._store.reading() as connection:
            rows = connection.execute(wanted.order_by(privacy_requests.c.sent_ms.desc())).mappings().all()
        return {row["request"]: _sent(row) for row in rows}

    def is_searching(self, request: str) -> bool:
        """Returns whether this process is still to search the logs for a request."""
        with self._lock:
            return request in self._waiting

    def close(self) -> None:
        """Ends the thread, or leaves a search that is under way. Drops what is not searched by then."""
        self._closing.set()
        if (thread := self._thread) is not None:
            thread.join(END_SECONDS)

    def _search_later(self, request: str, person: Person, sent_ms: int) -> None:
        with self._lock:
            self._waiting[request] = _Waiting(person, request, sent_ms)
            if self._thread is None:
                self._thread = threading.Thread(target=self._search, name="receipts", daemon=True)
                self._thread.start()

    def _search(self) -> None:
        """Searches behind each erasure that is complete, until none waits. The pauses grow while none is."""
        pause = FIRST_POLL_SECONDS
        while not self._closing.wait(pause):
            with self._lock:
                waiting = list(self._waiting.values())
                if not waiting:
                    self._thread = None
                    return
            done = [item for item in waiting if self._is_done(item)]
            with self._lock:
                for item in done:
                    del self._waiting[item.request]
            pause = FIRST_POLL_SECONDS if done else min(2 * pause, MAX_POLL_SECONDS)

    def _is_done(self, item: _Waiting) -> bool:
        """Searches if every partition has confirmed the erasure. Returns whether nothing remains to be done for it."""
        if time.monotonic() < item.not_before:
            return False
        try:
            progress = self._persons.progress(item.person.tenant, item.request)
            if progress.is_complete:
                receipt = self._persons.receipt(item.person, progress)
                self._keep(item, receipt)
                if receipt["complete"]:
                    return True
                item.search_later()
        except (OperatorError, KafkaException, SQLAlchemyError) as error:  # not decided yet, or a server is away
            log.info("receipt_not_made_yet", request=item.request, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - must not end other searches; the text may hold identifiers
            log.warning("receipt_failed", request=item.request, error=type(error).__name__)
            item.search_later()
        return self._clock() - item.sent_ms > SEARCHED_WITHIN_MS

    def _keep(self, item: _Waiting, receipt: dict[str, Any]) -> None:
        kept = update(privacy_requests).where(
            privacy_requests.c.tenant == item.person.tenant, privacy_requests.c.request == item.request
        )
        with self._store.writing() as connection:
            connection.execute(kept.values(receipt=msgspec.json.encode(receipt)))


def _sent(row: RowMapping) -> SentRequest:
    receipt = msgspec.json.decode(row["receipt"]) if row["receipt"] else None
    return SentRequest(row["request"], row["kind"], row["actor"], row["sent_ms"], receipt)
