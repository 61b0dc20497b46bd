"""Customers' statements: traits, and consent by purpose and channel."""

from typing import Any

from pipeline.event.normalise import SET_ONCE
from pipeline.profile.ledger import Ledger, join_accounts, newer_trait, older_trait
from pipeline.profile.messages import Touch


def book_trait(ledger: Ledger, touch: Touch, name: str, value: Any) -> None:
    """Stores the value of a trait if it is the newest."""
    old = ledger.traits.get(name)
    new = (touch.timestamp_ms, touch.event_id, touch.channel, value)
    ledger.traits[name] = new if old is None or new[0] > old[0] else newer_trait(old, new)


def book_traits(ledger: Ledger, touch: Touch) -> None:
    """Stores a touch's traits: as those of the account if it is a group call, else as those of the person.

    The oldest ``$set_once`` value of a trait counts only if no other statement, of any time, gives the trait a value.
    """
    if touch.type == "group":
        _book_account(ledger, touch)
        return
    for name, value in touch.traits.items():
        if name == SET_ONCE and type(value) is dict:
            for initial, first in value.items():
                new = (touch.timestamp_ms, touch.event_id, touch.channel, first)
                ledger.set_once[initial] = older_trait(ledger.set_once.get(initial, new), new)
        else:
            book_trait(ledger, touch, name, value)


def _book_account(ledger: Ledger, touch: Touch) -> None:
    account = touch.context.get("groupId")
    account = account.strip() if type(account) is str else ""
    if not account:
        return
    stated = {n: (touch.timestamp_ms, touch.event_id, touch.channel, value) for n, value in touch.traits.items()}
    ledger.accounts = join_accounts(ledger.accounts, {account: stated})


def book_consent(ledger: Ledger, touch: Touch, stated: Any) -> None:
    """Stores ``{purpose: bool}`` or ``{purpose: {channel: bool}}`` statements, or those in ``categoryPreferences``."""
    if type(stated) is not dict:
        return
    preferences = stated.get("categoryPreferences", stated)
    if type(preferences) is not dict:
        return
    for purpose, statement in preferences.items():
        if type(statement) is bool:
            _state(ledger, touch, purpose, granted=statement)
        elif type(statement) is dict:
            for channel, granted in statement.items():
                if type(granted) is bool:
                    _state(ledger, touch, f"{purpose}/{channel}", granted=granted)


def _state(ledger: Ledger, touch: Touch, key: str, *, granted: bool) -> None:
    new = (touch.timestamp_ms, 0 if granted else 1, touch.event_id)
    ledger.consent[key] = max(ledger.consent.get(key, new), new)
