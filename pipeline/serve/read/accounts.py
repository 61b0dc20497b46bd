"""Accounts: the organisations that customers' events name, with their members."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select

from pipeline.event.identifier import identifier
from pipeline.event.places import ACCOUNT
from pipeline.identity.profile_id import profile_id
from pipeline.query.accounts import account_view, accounts
from pipeline.query.profiles import decode_row
from pipeline.serve.model import tables
from pipeline.serve.read.context import ReadContext
from pipeline.serve.read.pages import NOT_A_CURSOR, CursorError, Page, cursor_of

MARK: Final = "id"
"""First part of a cursor: an account's id may be any text."""


class AccountReads:
    """Reads accounts."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def page(self, tenant: str, *, limit: int = 50, cursor: str = "") -> Page:
        """Returns accounts by id: number of members, the newest time of one, the highest score of one.

        Raises:
            CursorError: ``cursor`` is not one of this list.
        """
        account, profile = tables.accounts.c, tables.profiles.c
        facts = (
            func.count().label("members"), func.max(profile.last_seen_ms).label("last_seen_ms"),
            func.max(profile.top_score).label("top_score"),
        )  # fmt: skip
        joined = tables.accounts.join(tables.profiles, account.profile_id == profile.profile_id)
        statement = select(account.account_id, *facts).select_from(joined).where(account.tenant == tenant)
        if cursor:
            statement = statement.where(account.account_id > _id_in(cursor))
        statement = statement.group_by(account.account_id).order_by(account.account_id).limit(limit + 1)
        with self._context.store.reading() as connection:
            rows = connection.execute(statement).mappings().all()
            shown = rows[:limit]
            alone = _of_accounts_alone(connection, tenant, [row["account_id"] for row in shown])
        items = [{**row, "members": row["members"] - (row["account_id"] in alone)} for row in shown]
        return Page(items, cursor_of(MARK, shown[-1]["account_id"]) if len(rows) > limit else "")

    def one(self, tenant: str, account_id: str) -> dict[str, Any] | None:
        """Returns an account with its traits, members and totals; None if no customer's event names it.

        ``totals`` are the sums of the members' counts and sums over their lifetimes, money in minor units by
        ``name.CURRENCY``, as the profiles were last published.
        """
        query = (
            select(tables.profile_states.c.profile_id, tables.profile_states.c.state, tables.profiles.c.body)
            .join(tables.accounts, tables.accounts.c.profile_id == tables.profile_states.c.profile_id)
            .join(tables.profiles, tables.profiles.c.profile_id == tables.accounts.c.profile_id)
            .where(tables.accounts.c.tenant == tenant, tables.accounts.c.account_id == account_id)
            .order_by(tables.profile_states.c.profile_id)
        )
        with self._context.store.reading() as connection:
            rows = connection.execute(query).all()
        known = {account.account_id: account for account in accounts((row[0], decode_row(row[1])) for row in rows)}
        if account_id not in known:
            return None
        view = account_view(known[account_id])
        members = set(view["profile_ids"])
        return view | {"totals": _totals(body for name, _, body in rows if name in members)}

    def members(self, tenant: str, account_id: str, limit: int) -> list[dict[str, Any]]:
        """Returns the published profiles of members, those with the highest scores first."""
        account, profile = tables.accounts.c, tables.profiles.c
        alone = profile_id(tenant, identifier(ACCOUNT, account_id))
        statement = (
            select(profile.body)
            .join(tables.accounts, account.profile_id == profile.profile_id)
            .where(account.tenant == tenant, account.account_id == account_id, profile.profile_id != alone)
            .order_by(profile.top_score.desc(), profile.profile_id)
            .limit(limit)
        )
        with self._context.store.reading() as connection:
            return [msgspec.json.decode(body) for body in connection.execute(statement).scalars()]


def _totals(bodies: Iterable[bytes]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for body in bodies:
        for name, windows in msgspec.json.decode(body)["aggregates"].items():
            totals[name] += windows["lifetime"]
    return dict(sorted(totals.items()))


def _of_accounts_alone(connection: Connection, tenant: str, account_ids: Sequence[str]) -> set[str]:
    """Returns the accounts that have a profile of their own: of calls that name nothing but the account.

    Such a profile is named after the account, and is no member.
    """
    own_ids = {name: profile_id(tenant, identifier(ACCOUNT, name)) for name in account_ids}
    account = tables.accounts.c
    statement = select(account.account_id, account.profile_id).where(
        account.tenant == tenant, account.account_id.in_(own_ids), account.profile_id.in_(own_ids.values())
    )
    return {name for name, found in connection.execute(statement) if own_ids[name] == found}


def _id_in(cursor: str) -> str:
    mark, separator, name = cursor.partition("~")
    if mark != MARK or not (separator and name):
        raise CursorError(NOT_A_CURSOR)
    return name
