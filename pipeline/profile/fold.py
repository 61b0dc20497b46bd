"""Folds a profile's ledgers into its published parts, each by a function of its own."""

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from pipeline.event.identifier import Identifier, type_of, value_of
from pipeline.profile.ledger import (
    Accounts,
    Consent,
    Ledger,
    Span,
    Touchpoint,
    Trait,
    join_accounts,
    newer_trait,
    older_trait,
)
from pipeline.profile.timeline import TIMELINE_ENTRIES, Entry, Line, read_line

_Part = TypeVar("_Part")
_CONTACT: Final = {
    "email": ("email",),
    "phone": ("phone",),
    "firstName": ("firstName", "first_name"),
    "lastName": ("lastName", "last_name"),
    "name": ("name",),
    "company": ("company", "companyName", "company_name"),
}
"""Contact fields, with the traits that state each in order of precedence."""
_REACHED_BY: Final = ("email", "phone")
"""Contact fields that are identifiers too."""
_ORIGINS_REMEMBERED: Final = 1 << 13
_NEVER_SEEN: Final = (-1, "")
_MIN_DIGITS: Final = 6
"""Digits in a telephone number at least."""


def gathered(parts: Sequence[Mapping[str, _Part]], wanted: Container[str]) -> dict[str, list[_Part]]:
    """Returns for each wanted key its values in all mappings, in the order of the mappings."""
    if len(parts) == 1:  # the usual case: one ledger
        return {key: [part] for key, part in parts[0].items() if key in wanted}
    gathered_parts: dict[str, list[_Part]] = {}
    for mapping in parts:
        for key, part in mapping.items():
            if key in gathered_parts:
                gathered_parts[key].append(part)
            elif key in wanted:
                gathered_parts[key] = [part]
    return gathered_parts


def first_touch(ledgers: Sequence[Ledger]) -> Touchpoint | None:
    """Returns the first touch of all ledgers."""
    if len(ledgers) == 1:
        return ledgers[0].first
    earliest = ledgers[0].first if ledgers else None
    for ledger in ledgers:
        if ledger.first is not None and (earliest is None or ledger.first < earliest):
            earliest = ledger.first
    return earliest


def last_touch(ledgers: Sequence[Ledger]) -> Touchpoint | None:
    """Returns the last touch of all ledgers."""
    if len(ledgers) == 1:
        return ledgers[0].last
    latest = ledgers[0].last if ledgers else None
    for ledger in ledgers:
        if ledger.last is not None and (latest is None or ledger.last > latest):
            latest = ledger.last
    return latest


def traits_of(ledgers: Sequence[Ledger]) -> dict[str, Trait]:
    """Returns the newest value of every trait, else its oldest ``$set_once`` value, with provenance."""
    if len(ledgers) == 1:
        only = ledgers[0]
        return {**only.set_once, **only.traits} if only.set_once else only.traits
    traits: dict[str, Trait] = {}
    initial: dict[str, Trait] = {}
    for ledger in ledgers:
        for name, trait in ledger.traits.items():
            traits[name] = newer_trait(traits[name], trait) if name in traits else trait
        for name, trait in ledger.set_once.items():
            initial[name] = older_trait(initial[name], trait) if name in initial else trait
    return {**initial, **traits} if initial else traits


def accounts_of(ledgers: Sequence[Ledger]) -> Accounts:
    """Returns the traits of the accounts that the person belongs to."""
    return reduce(join_accounts, (ledger.accounts for ledger in ledgers), {})


def identifiers_of(ledgers: Sequence[Ledger]) -> dict[Identifier, Span]:
    """Returns when each of the customer's identifiers was first and last seen, in ms since 1970."""
    if len(ledgers) == 1:
        return ledgers[0].own_identifiers()
    spans: dict[Identifier, Span] = {}
    for ledger in ledgers:
        for identifier, span in ledger.own_identifiers().items():
            old = spans.get(identifier, span)
            spans[identifier] = (min(old[0], span[0]), max(old[1], span[1]))
    return spans


def identifier_names(ledgers: Sequence[Ledger]) -> list[Identifier]:
    """Returns every identifier of the customer, sorted."""
    if len(ledgers) == 1:
        return sorted(ledgers[0].own_identifiers())
    return sorted(set().union(*[ledger.own_identifiers() for ledger in ledgers]))


def consent_of(ledgers: Sequence[Ledger]) -> dict[str, bool]:
    """Returns consent by ``purpose`` or ``purpose/channel``: the newest statement of all ledgers; a tie is a no."""
    return {key: not denied for key, (_, denied, _) in statements_of(ledgers).items()}


def statements_of(ledgers: Sequence[Ledger]) -> dict[str, Consent]:
    """Returns the deciding statement of each ``purpose`` or ``purpose/channel``."""
    if len(ledgers) == 1:
        return ledgers[0].consent
    result: dict[str, Consent] = {}
    for ledger in ledgers:
        for key, statement in ledger.consent.items():
            result[key] = max(result.get(key, statement), statement)
    return result


def permits(consent: Mapping[str, bool], purpose: str, *, must_be_granted: bool) -> bool:
    """Returns whether consent allows a ``purpose`` or ``purpose/channel``. A denied purpose denies all its channels.

    ``must_be_granted``: whether a missing statement counts as a denial. If false, it permits the purpose.
    """
    statements = [consent[key] for key in (purpose, purpose.partition("/")[0]) if key in consent]
    return all(statements) and (bool(statements) or not must_be_granted)


def timeline_of(ledgers: Sequence[Ledger], limit: int = TIMELINE_ENTRIES) -> list[Entry]:
    """Returns the newest touches and CRM activities, newest first."""
    lines: list[Line] = []
    for ledger in ledgers:
        lines += ledger.timeline
        lines += ledger.activities
    return [read_line(line) for line in sorted(lines)[: -limit - 1 : -1]]


class Page(NamedTuple):
    """A page of the timeline, newest first."""

    entries: list[Entry]
    before: str
    """The cursor of the next page; "" on the last page."""


def timeline_page(ledgers: Sequence[Ledger], limit: int, before: str = "") -> Page:
    """Returns the newest ``limit`` touches and CRM activities older than the cursor ``before``, if there is one.

    A cursor is ``event time in ms:event id`` of the last entry of a page, so that new events do not shift later pages.

    Raises:
        ValueError: ``before`` is not a cursor; the message shows an example.
    """
    older = timeline_of(ledgers, sum(len(ledger.timeline) + len(ledger.activities) for ledger in ledgers))
    if before:
        time_text, _, event_id = before.partition(":")
        if not (time_text.isascii() and time_text.isdigit() and event_id):
            msg = f"{before!r} is not a cursor: write the one a page ended with, such as 1772366400000:web/m1"
            raise ValueError(msg)
        older = [entry for entry in older if entry[:2] < (int(time_text), event_id)]
    shown = older[:limit]
    return Page(shown, f"{shown[-1].timestamp_ms}:{shown[-1].event_id}" if len(older) > limit else "")


def touchpoint_view(point: Touchpoint | None) -> dict[str, Any] | None:
    """Returns a first or last touch as JSON values, with its campaign and referrer; None without a touch."""
    if point is None:
        return None
    timestamp_ms, event_id, channel, kind, name, origin = point
    view = {"timestamp_ms": timestamp_ms, "event_id": event_id, "channel": channel, "type": kind, "event": name}
    return view | (msgspec.json.decode(origin) if origin else {})


@lru_cache(maxsize=_ORIGINS_REMEMBERED)
def campaign_of(origin: str) -> str:
    """Returns the campaign name in a touchpoint's origin, or ""."""
    name = msgspec.json.decode(origin).get("campaign", {}).get("name", "") if origin else ""
    return name if type(name) is str else ""


def _is_foreign(field: str, stated: str, foreign: Iterable[Identifier]) -> bool:
    """Returns whether a stated address or telephone number equals one of the identifiers.

    Traits are not normalised. So the comparison ignores case. For telephone numbers it ignores leading zeros and
    compares as many last digits as both have.
    """
    values = [value_of(ident) for ident in foreign if type_of(ident) == field]
    if field != "phone":
        return stated.strip().lower() in values
    digits = _digits(stated).lstrip("0")
    return len(digits) >= _MIN_DIGITS and any(_digits(value).endswith(digits) for value in values)


def _digits(text: str) -> str:
    return "".join(item for item in text if item.isdigit())


def contact_of(ledgers: Sequence[Ledger]) -> dict[str, str]:
    """Returns the customer's contact data: email, phone, names and company, as far as known.

    A stated trait takes precedence over an identifier, unless it is another customer's identifier. Of several
    identifiers the last seen one counts, ties by text.
    """
    traits, contact = traits_of(ledgers), dict[str, str]()
    if traits:
        foreign = {ident for ledger in ledgers for ident in ledger.foreign_identifiers()}
        for field, names in _CONTACT.items():
            for name in names:
                stated = traits[name][3] if name in traits else ""
                if stated and isinstance(stated, str) and not (foreign and _is_foreign(field, stated, foreign)):
                    contact.setdefault(field, stated)
    newest: dict[str, tuple[int, str]] = {}
    for ident, span in identifiers_of(ledgers).items():
        field = type_of(ident)
        if field in _REACHED_BY:
            newest[field] = max(newest.get(field, _NEVER_SEEN), (span[1], value_of(ident)))
    for field in _REACHED_BY:
        if field in newest:
            contact.setdefault(field, newest[field][1])
    return contact
