"""Accounts: the organisations that events name, and one with its members, revenue, deals and leads; households."""

from typing import Final

from starlette.responses import Response

from pipeline.query.lead import display_name
from pipeline.serve.access.masking import masked
from pipeline.serve.console.guard import NotFoundError, Visit
from pipeline.serve.console.pages.leads import state_of

PAGE: Final = 50


def accounts(visit: Visit) -> Response:
    """Returns the accounts by id. Without the right to personal data, ids are masked and lead nowhere."""
    data, tenant = visit.console.data, visit.user.tenant
    page = data.accounts.page(tenant, visit.query("after"), PAGE, hidden=not visit.sees_personal)
    if visit.sees_personal:
        data.audit.record(tenant, visit.user.name, "accounts", [])
    return visit.page("accounts.html", lines=page.items, next=page.next if visit.sees_personal else "")


def households(visit: Visit) -> Response:
    """Returns the households. Without the right to personal data, what is shared is masked."""
    data, tenant = visit.console.data, visit.user.tenant
    page = data.accounts.households(tenant, visit.query("after"), PAGE)
    if not visit.sees_personal:
        return visit.page("households.html", households=masked(page.items), next="")
    members = [one for item in page.items for one in item["profile_ids"]]
    data.audit.record(tenant, visit.user.name, "households", members)
    return visit.page("households.html", households=page.items, next=page.next)


def account(visit: Visit) -> Response:
    """Returns one account."""
    data, tenant, account_id = visit.console.data, visit.user.tenant, visit.query("account")
    found = data.accounts.one(tenant, account_id)
    if found is None:
        message = f"No customer's event names an account {account_id}."
        raise NotFoundError(message)
    data.audit.record(tenant, visit.user.name, "account", found.member_ids)
    return visit.page("account.html", account=found, lines=found.members, name_of=display_name, state_of=state_of)
