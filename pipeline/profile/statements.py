"""What customers state: traits, and consent by purpose and channel."""

from typing import Any

from pipeline.profile.ledger import Ledger, newer_trait
from pipeline.profile.messages import Touch


def book_trait(ledger: Ledger, touch: Touch, name: str, value: Any) -> None:
    """Keep the value of a trait if it is the newest."""
    old = ledger.traits.get(name)
    new = (touch.timestamp_ms, touch.event_id, touch.channel, value)
    ledger.traits[name] = new if old is None or new[0] > old[0] else newer_trait(old, new)


def book_consent(ledger: Ledger, touch: Touch, stated: Any) -> None:
    """Statements are ``{purpose: bool}`` or ``{purpose: {channel: bool}}``, or those under ``categoryPreferences``."""
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
