"""Accounts: a list, and one with its members, their sums and their leads."""

from typing import Final

from pipeline.serve.access.masking import masked
from pipeline.serve.console.data.leads import LeadData
from pipeline.serve.console.data.lines import line_of
from pipeline.serve.console.views import AccountLine, AccountPage, Lead, Page, Total
from pipeline.serve.read.leads import LeadFilter
from pipeline.serve.read.reads import Reads

MEMBERS: Final = 50
LEADS: Final = 20


class AccountData:
    """Reads accounts."""

    def __init__(self, reads: Reads, leads: LeadData) -> None:
        self._reads, self._leads = reads, leads

    def page(self, tenant: str, cursor: str, limit: int, *, hidden: bool) -> Page:
        """Returns accounts by id. ``hidden`` masks the ids. Raises CursorError if ``cursor`` is not of this list."""
        page = self._reads.accounts.page(tenant, limit=limit, cursor=cursor)
        return Page([AccountLine(**(masked(item) if hidden else item)) for item in page.items], page.next)

    def one(self, tenant: str, account_id: str) -> AccountPage | None:
        """Returns an account, or None if no customer's event names it."""
        view = self._reads.accounts.one(tenant, account_id)
        if view is None:
            return None
        members = [line_of(body) for body in self._reads.accounts.members(tenant, account_id, MEMBERS)]
        leads = [lead for member in members for lead in self._leads_of(tenant, member.profile_id)]
        return AccountPage(
            account_id=account_id,
            traits=view["traits"],
            member_ids=view["profile_ids"],
            members=members,
            totals=[_total(name, value) for name, value in view["totals"].items() if value],
            leads=sorted(leads, key=lambda lead: -lead.action["timestamp_ms"])[:LEADS],
        )

    def _leads_of(self, tenant: str, profile_id: str) -> list[Lead]:
        return list(self._leads.page(tenant, LeadFilter(profile_id=profile_id), "", LEADS).items)


def _total(name: str, value: int) -> Total:
    """Returns a total from its published name: money has the currency behind a dot."""
    plain, _, currency = name.partition(".")
    return Total(plain, value, currency)
