"""Leads with their delivery to CRMs."""

from typing import Any

from pipeline.serve.console.views import Lead, Page
from pipeline.serve.read.leads import LeadFilter
from pipeline.serve.read.reads import Reads


class LeadData:
    """Reads CRM actions and the CRM ledger."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def page(self, tenant: str, chosen: LeadFilter, cursor: str, limit: int) -> Page:
        """Returns leads, newest first. Raises CursorError if ``cursor`` is not one of this list."""
        page = self._reads.leads.page(tenant, chosen, limit=limit, cursor=cursor)
        return Page([_lead(item) for item in page.items], page.next)

    def one(self, tenant: str, action_id: str) -> Lead | None:
        """Returns the highest revision of an action, or None."""
        found = self._reads.leads.one(tenant, action_id)
        return None if found is None else _lead(found)


def _lead(item: dict[str, Any]) -> Lead:
    return Lead(item, item["deliveries"])
