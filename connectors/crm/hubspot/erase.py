"""Deletes contacts of HubSpot for good, with everything that is associated with them."""

from typing import Final

from connectors.crm.exchange import Call, Send
from connectors.crm.fault import PASSING, Fault
from connectors.crm.hubspot.answers import checked, rows_of
from connectors.crm.hubspot.calls import Calls
from connectors.crm.ledger_row import LedgerRow
from connectors.crm.sink import Action, Outcome, Refused, RetryLater, SinkError
from pipeline.rules.crm import CrmConnection

PATH: Final = "/crm/v3/objects/contacts/gdpr-delete"
"""The dated versions of the API do not have this request."""


class HubSpotPurge:
    """Implements :class:`~connectors.crm.erasing.Purge` with HubSpot's privacy deletion."""

    def __init__(self, connection: CrmConnection, send: Send) -> None:
        self._calls, self._send = Calls(connection), send

    def __call__(self, action: Action, row: LedgerRow | None) -> Outcome | None:
        """Deletes the contact of a lead. Returns None once there is none, or why there may still be one."""
        contacts = [row.object_id] if row is not None and row.object_id else self._found(action)
        for contact in contacts:
            if failed := self._purge(contact, action.tenant):
                return failed
        return None

    def _purge(self, contact: str, tenant: str) -> Outcome | None:
        try:
            failed = checked(self._send(Call(method="POST", path=PATH, body={"objectId": contact}, tenant=tenant)))
        except SinkError as denied:  # leads go on without the right to delete them
            return Refused(str(denied))
        if failed is None or failed.fault is Fault.GONE:
            return None
        return RetryLater(0, failed.words) if failed.fault in PASSING else Refused(failed.words)

    def _found(self, action: Action) -> list[str]:
        """Returns the contact that carries the action id: the answer to its creation may have been lost."""
        return list(rows_of(self._send(self._calls.read_by_key([action.action_id], [], action.tenant))))
