"""Erases leads in a CRM: wraps the sink of a connection and takes the actions of kind ``erase`` out of its hands.

An erasure names only the action id. The object is found in the ledger, or by the action id in the CRM if the answer to
its creation was lost. Its ledger row is replaced by one without content, whose revision keeps older actions away.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from connectors.crm.connect import KINDS
from connectors.crm.exchange import Send
from connectors.crm.fault import StoppedError
from connectors.crm.gateway_purge import GatewayPurge
from connectors.crm.hubspot.erase import HubSpotPurge
from connectors.crm.ledger import LedgerView
from connectors.crm.ledger_row import ERASED, LedgerRow
from connectors.crm.sink import ERASE, Action, CrmSink, Delivered, Finding, Outcome, Pause
from pipeline.clock import Clock
from pipeline.rules.crm import CrmConnection


class Purge(Protocol):
    """Deletes the object of a lead in a CRM, with what it was converted or merged into."""

    def __call__(self, action: Action, row: LedgerRow | None) -> Outcome | None:
        """Returns None once the object is gone, or why it is not.

        Raises:
            StoppedError: The whole sink has to pause.
            SinkError: A right is missing.
        """
        ...


def purge_of(connection: CrmConnection, send: Send, clock: Clock) -> Purge:
    """Returns the purge of a connection. HubSpot has a deletion for good of its own."""
    if connection.kind == "hubspot":
        return HubSpotPurge(connection, send)
    return GatewayPurge(KINDS[connection.kind].gateway(connection, send, clock))


def erasing(connection: CrmConnection, sink: CrmSink, send: Send, ledger: LedgerView, clock: Clock) -> CrmSink:
    """Returns the sink of a connection with erasures."""
    return ErasingSink(connection, sink, ledger, clock, purge_of(connection, send, clock))


class ErasingSink:
    """Implements :class:`~connectors.crm.sink.CrmSink`."""

    def __init__(
        self, connection: CrmConnection, sink: CrmSink, ledger: LedgerView, clock: Clock, purge: Purge
    ) -> None:
        self._connection, self._sink, self._ledger, self._clock, self._purge = connection, sink, ledger, clock, purge

    def positions(self) -> Mapping[int, int] | None:
        """Returns the positions of the sink."""
        return self._sink.positions()

    def check(self) -> Sequence[Finding]:
        """Returns the findings of the sink."""
        return self._sink.check()

    def setup(self, *, dry_run: bool) -> Sequence[Finding]:
        """Sets up the sink."""
        return self._sink.setup(dry_run=dry_run)

    def close(self) -> None:
        """Closes the sink."""
        self._sink.close()

    def deliver(self, actions: Sequence[Action]) -> Sequence[Outcome]:
        """Delivers the leads, then the erasures. Returns one outcome for each action, in order."""
        leads = [action for action in actions if action.body.get("kind") != ERASE]
        outcomes = iter(self._sink.deliver(leads) if leads else ())
        result: list[Outcome | None] = [
            next(outcomes) if action.body.get("kind") != ERASE else None for action in actions
        ]
        pause: Pause | None = None
        for place, action in enumerate(actions):
            if result[place] is None:
                outcome = pause or self._erase(action)
                pause = outcome if isinstance(outcome, Pause) else pause
                result[place] = outcome
        return [outcome for outcome in result if outcome is not None]

    def _erase(self, action: Action) -> Outcome:
        if self._connection.tenants and action.tenant not in self._connection.tenants:
            return Delivered()
        row = self._ledger.of_actions(action.tenant, [action.action_id]).get(action.action_id)
        try:
            failed = self._purge(action, row)
        except StoppedError as stopped:
            return stopped.pause
        if failed is not None:
            return failed
        erased = LedgerRow(
            sink=self._connection.name,
            tenant=action.tenant,
            action_id=action.action_id,
            revision=action.revision,
            state=ERASED,
            written_ms=self._clock(),
        )
        return Delivered(row=erased)
