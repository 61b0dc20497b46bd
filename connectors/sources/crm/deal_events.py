"""The events of a deal, so that sums over them stay right whatever happens to the deal later. Pure.

The revenue of won deals is the sum over ``deal_won`` and ``deal_revenue_corrected``: a correction states the difference
if the amount of a won deal changes, or the deal is lost, opened again or deleted.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from connectors.sources.crm.change import (
    AMOUNT,
    CLOSES,
    COMPANY,
    CURRENCY,
    LOST,
    LOST_REASON,
    NAME,
    OUTCOME,
    OWNER,
    STAGE,
    WON,
    Change,
    Fate,
    Person,
)
from connectors.sources.crm.document import Document, Documents
from connectors.sources.crm.seen import Seen
from pipeline.event.duration import DAY_MS

NOTHING: Final = ("", "")
ACCOUNT: Final = "account_id"


class Deal(msgspec.Struct, frozen=True):
    """A deal with the customer that gets its events."""

    change: Change
    before: Seen | None
    seen: Seen
    identifiers: dict[str, str]
    """Identifiers of the customer; empty if the deal has neither a contact nor a company."""

    @property
    def is_new(self) -> bool:
        """Whether the deal was not seen before, or is back after its deletion."""
        return self.before is None or self.before.fate is not Fate.PRESENT


def deal_of(change: Change, before: Seen | None, seen: Seen, make: Documents) -> Deal:
    """Returns a deal with what is now seen of it. Its customer stays the one that got its first events."""
    person = next((one for one in change.people if one.id == seen.person), None)
    person = person or (Person(seen.person) if seen.person else next(iter(change.people), None))
    company = change.fields.get(COMPANY, "")
    identifiers = make.identifiers(person) if person else {ACCOUNT: company} if company else {}
    now = msgspec.structs.replace(seen, person=person.id if person else "")
    if change.fate is Fate.PRESENT:
        outcome, won = change.fields.get(OUTCOME, ""), NOTHING
        if outcome == WON:
            won = (_plain(change.fields.get(AMOUNT, "")), change.fields.get(CURRENCY) or make.back.currency)
        now = msgspec.structs.replace(now, stage=change.fields.get(STAGE, ""), outcome=outcome, won=won)
    else:
        now = msgspec.structs.replace(now, stage="", outcome="", won=NOTHING, hashes={})
    return Deal(change, before, now, identifiers)


def deal_events(deal: Deal, make: Documents, since_ms: int) -> Iterator[Document]:
    """Yields the events of a changed deal. Leaves out the creation of one that was created before ``since_ms``."""
    change, before, now = deal.change, deal.before, deal.seen
    at_ms = change.stage_ms or change.modified_ms
    about = _about(deal, make)
    if change.fate is not Fate.PRESENT:
        if before is not None and before.fate is Fate.PRESENT:
            yield make.track(change, "Deal Deleted", change.modified_ms, deal.identifiers, {})
            yield from _corrections(deal, make, change.modified_ms)
        return
    if deal.is_new and change.created_ms >= since_ms:
        yield make.track(change, "Deal Created", change.created_ms, deal.identifiers, about)
    if not deal.is_new and before is not None and before.stage != now.stage:
        previous = {**about, "previous_stage": before.stage}
        yield make.track(change, "Deal Stage Changed", at_ms, deal.identifiers, previous)
    was = "" if deal.is_new or before is None else before.outcome
    if now.outcome == WON and was != WON:
        cycle = max(0, at_ms - change.created_ms) // DAY_MS if change.created_ms else None
        won = {**about, "revenue": now.won[0], "currency": now.won[1], "cycle_days": cycle}
        yield make.track(change, "Deal Won", at_ms, deal.identifiers, won)
        return
    if now.outcome == LOST and was != LOST:
        yield make.track(
            change, "Deal Lost", at_ms, deal.identifiers, {**about, LOST_REASON: change.fields.get(LOST_REASON)}
        )
    if now.outcome not in {WON, LOST} and was in {WON, LOST}:
        yield make.track(change, "Deal Reopened", at_ms, deal.identifiers, about)
    yield from _corrections(deal, make, change.modified_ms)


def _about(deal: Deal, make: Documents) -> Document:
    fields = deal.change.fields
    return {
        "name": fields.get(NAME), "stage": deal.seen.stage, "deal_amount": fields.get(AMOUNT),
        "deal_currency": fields.get(CURRENCY), "close_date": fields.get(CLOSES), "account": fields.get(COMPANY),
        "owner": make.rep(fields.get(OWNER, "")),
    }  # fmt: skip


def _corrections(deal: Deal, make: Documents, at_ms: int) -> Iterator[Document]:
    """Yields the differences between the revenue that was reported and the revenue now, one for each currency."""
    old = deal.before.won if deal.before is not None else NOTHING
    new = deal.seen.won
    if old == new:
        return
    sums: dict[str, Decimal] = {}
    for (amount, currency), sign in ((old, -1), (new, 1)):
        if amount:
            sums[currency] = sums.get(currency, Decimal(0)) + sign * Decimal(amount)
    for currency, difference in sorted(sums.items()):
        if difference:
            properties = {"revenue": str(difference), "currency": currency, "name": deal.change.fields.get(NAME)}
            name = f"Deal Revenue Corrected {currency}".strip()
            document = make.track(deal.change, name, at_ms, deal.identifiers, properties)
            yield {**document, "event": "Deal Revenue Corrected"}


def _plain(amount: str) -> str:
    """Returns a decimal amount; "" if the text is none."""
    try:
        return str(Decimal(amount)) if amount else ""
    except InvalidOperation:
        return ""
