"""Field paths: the names of a touch's fields in rules, such as ``properties.category`` or ``context.page.url``."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pipeline.event.zone import UTC, Zone, hour_of, weekday_of
from pipeline.profile.messages import Touch

Getter: TypeAlias = Callable[[Touch], Any]
"""Returns the value at a path, or None if there is none."""

EVENT: Final = "event"
"""The name of the event. Conditions ignore its case and separators."""
OBJECTS: Final = ("properties", "context", "traits")
PLAIN: Final[dict[str, Getter]] = {
    "amount": lambda touch: touch.amount_minor if touch.currency else None,
    "channel": lambda touch: touch.channel,
    "currency": lambda touch: touch.currency or None,
    EVENT: lambda touch: touch.name or None,
    "event_id": lambda touch: touch.event_id,
    "timestamp_ms": lambda touch: touch.timestamp_ms,
    "type": lambda touch: touch.type,
}
ZONED: Final[dict[str, Callable[[int], int]]] = {"hour": hour_of, "weekday": weekday_of}
"""Fields of the local time in the rules' time zone: the hour 0 to 23, the weekday 1 (Monday) to 7."""
AMOUNT: Final = "amount"
"""The event's money, in minor units of its currency. Its aggregates are stored and read by currency."""


def getter(path: str, zone: Zone = UTC) -> Getter:
    """Returns the function that reads a path; ``hour`` and ``weekday`` are local to the zone.

    Raises:
        ValueError: The path does not start with a known field; the message lists those.
    """
    if path in PLAIN:
        return PLAIN[path]
    if path in ZONED:
        shown, local = ZONED[path], zone.local
        return lambda touch: shown(local(touch.timestamp_ms))
    root, *keys = path.split(".")
    if root not in OBJECTS or not all(keys) or not keys:
        plain = ", ".join((*PLAIN, *ZONED))
        msg = f"field {path!r} must be one of {plain} or start with {', '.join(f'{o}.' for o in OBJECTS)}"
        raise ValueError(msg)
    return _member(root, keys[0]) if len(keys) == 1 else _nested(root, tuple(keys))


def _member(root: str, key: str) -> Getter:
    def read(touch: Touch) -> Any:
        return getattr(touch, root).get(key)

    return read


def _nested(root: str, keys: tuple[str, ...]) -> Getter:
    def read(touch: Touch) -> Any:
        value = getattr(touch, root)
        for key in keys:
            if type(value) is not dict:
                return None
            value = value.get(key)
        return value

    return read
