"""Events, touches and links with a default for every field. Public, for tests of code that builds on Stitchline.

A test passes only the fields that matter to it:

>>> seen = event(identifiers=["email:ann@shop.example", "device_id:phone"])
>>> seen.event_id, seen.identifiers[0]
('shop/m1', 'email:ann@shop.example')
>>> touch(name="order_completed", amount_minor=1999, currency="EUR").anchor
'user_id:1'
>>> link("user_id:1", "device_id:phone").event_id
'shop/m1'

:func:`event_json` builds an event in the JSON form of files and HTTP. ``partial`` fixes the start of a numbered series:

>>> from functools import partial
>>> numbered = partial(event_json, start_ms=START_MS, step_ms=1000)
>>> second = numbered(2, "order_completed", userId="ann")
>>> second["messageId"], second["event"], second["timestamp"] - START_MS
('m2', 'order_completed', 2000)

Every call builds new defaults and copies ``identifiers``, because Stitchline changes events in place.
"""

from collections.abc import Iterable
from typing import Any

from pipeline.event.identifier import Identifier
from pipeline.event.model import Event
from pipeline.identity.messages import Link
from pipeline.profile.messages import Touch

START_MS = 1_772_366_400_000
"""2026-03-01T12:00:00Z."""
MINUTE_MS = 60_000
USER: Identifier = "user_id:1"


def event(identifiers: Iterable[Identifier] = (USER,), **fields: Any) -> Event:
    """Returns a canonical event, by default a view on the web by ``user_id:1`` at ``START_MS``."""
    defaults: dict[str, Any] = {
        "tenant": "default", "source": "shop", "message_id": "m1", "channel": "web", "type": "track",
        "name": "product_viewed", "timestamp_ms": START_MS, "properties": {}, "context": {}, "traits": {},
    }  # fmt: skip
    return Event(identifiers=list(identifiers), **(defaults | fields))


def event_json(
    number: int, name: str = "product_viewed", *, start_ms: int = START_MS, step_ms: int = MINUTE_MS, **fields: Any
) -> dict[str, Any]:
    """Returns an event as JSON, in the words of the Segment spec, without an identifier of its own.

    ``number`` gives the message id and, in steps of ``step_ms`` from ``start_ms`` (milliseconds), the timestamp.
    """
    return {
        "type": "track", "event": name, "messageId": f"m{number}", "channel": "web",
        "timestamp": start_ms + number * step_ms, **fields,
    }  # fmt: skip


def touch(anchor: Identifier = USER, **fields: Any) -> Touch:
    """Returns an accepted event in the form that INTAKE sends to the profile that owns ``anchor``."""
    defaults: dict[str, Any] = {
        "tenant": "default", "event_id": "shop/m1", "timestamp_ms": START_MS, "channel": "web", "type": "track",
        "name": "product_viewed", "identifiers": [anchor], "properties": {}, "context": {}, "traits": {},
    }  # fmt: skip
    return Touch(anchor=anchor, **(defaults | fields))


def link(anchor: Identifier, other: Identifier, first_seen_ms: int = START_MS, **fields: Any) -> Link:
    """Returns a link seen once, at ``first_seen_ms``; ``anchor`` is the stronger end."""
    defaults: dict[str, Any] = {
        "tenant": "default", "last_seen_ms": first_seen_ms, "count": 1, "source": "web", "event_id": "shop/m1",
    }  # fmt: skip
    return Link(anchor=anchor, other=other, first_seen_ms=first_seen_ms, **(defaults | fields))
