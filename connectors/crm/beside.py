"""The port of work that a runner does beside its actions, with the same ledger, limits and transactions."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from connectors.crm.action_log import Refusal
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.sink import Pause


class Step(NamedTuple):
    """What one step has done; the runner commits it."""

    rows: Sequence[LedgerRow] = ()
    refusals: Sequence[Refusal] = ()
    pause: Pause | None = None
    """The whole sink has to wait."""


class Beside(Protocol):
    """Work without positions of its own: it is found again after a restart by comparing with the ledger."""

    def receive(self) -> None:
        """Takes in what there is to read now."""
        ...

    def step(self) -> Step:
        """Does a part of what is due.

        Raises:
            SinkError: A right is missing.
        """
        ...

    def note(self, rows: Sequence[LedgerRow]) -> None:
        """Takes note of rows that were committed for actions."""
        ...

    def next_due_ms(self) -> int | None:
        """Returns the earliest time at which there is something to do; None if there is nothing."""
        ...

    def is_done(self) -> bool:
        """Returns whether everything that there is now is read and done."""
        ...

    def not_ready(self) -> list[str]:
        """Returns the reasons why the CRM may be behind."""
        ...
