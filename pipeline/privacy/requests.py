"""Requests about a person from a server: written out, erased, refused or admitted, and how far a request has come."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeAlias

from pipeline.clock import Clock, wall_clock_ms
from pipeline.control.send_command import CommandSender, new_command
from pipeline.errors import OperatorError
from pipeline.kafka.reach import NoBrokerError, cluster
from pipeline.kafka.reading import silent
from pipeline.privacy.access import AccessReport
from pipeline.privacy.find_person import find_person
from pipeline.privacy.person import Person
from pipeline.privacy.progress import RequestProgress, progress_of, requests_of
from pipeline.privacy.receipt import LogLimit, log_limits, searched_receipt
from pipeline.query.naming import Naming
from pipeline.rules.model import Rules
from pipeline.settings import Settings

RightKind: TypeAlias = Literal["erase", "opt_out", "opt_in"]

MAX_AT_ONCE: Final = 4
"""Requests of one process that use Kafka at the same time: a report reads every topic."""
REACH_SECONDS: Final = 5.0
"""How long to wait for a broker's first answer. Later steps wait longer."""


class BusyError(OperatorError):
    """``MAX_AT_ONCE`` requests run already. Operator action: send the request again later."""


class PersonRequests:
    """Carries out requests about persons. Thread-safe.

    Raises (from every method that uses Kafka):
        BusyError: too many requests run.
        OperatorError: no broker answers, the topics do not exist, or Kafka did not take the command.
        confluent_kafka.KafkaException: the broker refused.
    """

    def __init__(
        self, settings: Settings, rules: Rules, clock: Clock = wall_clock_ms, *, reach_seconds: float = REACH_SECONDS
    ) -> None:
        self._settings, self._rules, self._clock, self._reach_seconds = settings, rules, clock, reach_seconds
        self._naming = Naming(rules)
        self._slots = threading.BoundedSemaphore(MAX_AT_ONCE)

    def named(self, tenant: str, text: str) -> Person:
        """Returns the person as far as it is known without Kafka: by the given identifier only.

        Raises:
            NotAnIdentifierError: the text is not an identifier.
        """
        return Person.of(tenant, [self._naming.identifier(text, or_blocked=True)])

    def find(self, named: Person) -> Person:
        """Returns the whole person, through all merges, the given identifier first."""
        with self._kafka():
            person, _ = find_person(self._settings, self._rules, named.identifiers[0], named.tenant)
        return person

    def access(self, named: Person) -> tuple[Person, dict[str, Any]]:
        """Returns the whole person, through all merges, and the report of everything that its tenant holds."""
        with self._kafka():
            person, identity = find_person(self._settings, self._rules, named.identifiers[0], named.tenant)
            writer = AccessReport(self._settings, self._rules, own_tenant=True)
            report = writer.write(person, identity, self._clock(), silent)
        return person, report

    def send(self, kind: RightKind, named: Person, actor: str, why: str) -> str:
        """Sends a request and returns its id once Kafka holds it. STITCH resolves the person's other identifiers."""
        command = new_command(named.tenant, kind, named.identifiers[0], "", actor, why, self._clock())
        with self._kafka():
            CommandSender(self._settings).send(command)
        return command.event_id

    def progress(self, tenant: str, request: str) -> RequestProgress:
        """Returns the progress of a request.

        Raises:
            UnknownRequestError: STITCH has not decided a request with this id.
        """
        with self._kafka():
            return progress_of(self._settings, tenant, request)

    def all(self, tenant: str) -> list[RequestProgress]:
        """Returns every request that STITCH has decided, newest first."""
        with self._kafka():
            return requests_of(self._settings, tenant)

    def receipt(self, person: Person, progress: RequestProgress) -> dict[str, Any]:
        """Searches all topics and returns the receipt, without counts of other tenants' records."""
        with self._kafka():
            return searched_receipt(self._settings, self._rules, person, progress, silent, own_tenant=True)

    def log_limits(self, progress: RequestProgress) -> list[LogLimit]:
        """Returns until when each topic may hold records from before a request."""
        with self._kafka():
            return log_limits(self._settings, progress)

    @contextmanager
    def _kafka(self) -> Iterator[None]:
        """Takes a slot, and fails early if no broker answers."""
        if not self._slots.acquire(blocking=False):
            message = f"{MAX_AT_ONCE} requests about persons run already: send it again later"
            raise BusyError(message)
        try:
            if not self._settings.bootstrap_servers:
                message = "no Kafka is configured for this process: set STITCHLINE_BOOTSTRAP_SERVERS"
                raise NoBrokerError(message)
            cluster(self._settings.kafka(), self._reach_seconds)
            yield
        finally:
            self._slots.release()
