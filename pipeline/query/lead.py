"""A CRM action in a person's words: who, how to reach them, why now, and the way they came."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from pipeline.event.identifier import type_of

Action = Mapping[str, Any]
"""The fields of a ``crm-action`` record."""

SEEN_IN: Final = {
    "click_id": "ad", "device_id": "app", "loyalty_id": "store card", "email": "email", "crm_contact_id": "CRM",
}  # fmt: skip
"""Which channel an identifier of each type comes from."""
IN_CHANNEL: Final = {"ads": "ad", "pos": "store card", "crm": "CRM"}
"""Channels that people call something else."""
_LAST_THINGS: Final = 2


def who(action: Action) -> str:
    """The name as far as it is known, else how to reach them, else the strongest identifier there is."""
    contact = action["contact"]
    stated = contact.get("name") or " ".join(filter(None, (contact.get("firstName"), contact.get("lastName"))))
    return stated or reach(action) or next(iter(action["identifiers"]), action["profile_id"])


def reach(action: Action) -> str:
    """The e-mail address, else the telephone number, else ""."""
    contact = action["contact"]
    return str(contact.get("email") or contact.get("phone") or "")


def is_duplicate(action: Action) -> bool:
    """Whether it closes a lead in favour of another instead of opening one."""
    return bool(action["kind"] == "duplicate_of")


def reasons(action: Action, limit: int = 3) -> str:
    """What the score is made of, largest first; beyond ``most`` in one number.

    Rules of a group are one number, for its cap is what counts.
    """
    points_of: dict[str, float] = {}
    for contribution in action["contributions"]:
        name = contribution["group"] or contribution["rule"]
        points_of[name] = points_of.get(name, 0.0) + contribution["points"]
    parts = sorted(points_of.items(), key=lambda part: (-part[1], part[0]))
    shown = [f"{name.replace('_', ' ')} {points:+.0f}" for name, points in parts[:limit]]
    rest = sum(points for _, points in parts[limit:])
    return " · ".join([*shown, f"other {rest:+.0f}"] if abs(rest) >= 0.5 else shown)


def story(action: Action) -> str:
    """The way they came: channels met before, then the latest touches by channel, then the last things they did."""
    touches = list(reversed(action["timeline"]))
    latest = [IN_CHANNEL.get(touch["channel"], touch["channel"]) for touch in touches]
    before = [channel for channel in _met(action) if channel not in latest]
    steps = [channel if count == 1 else f"{count} {channel}" for channel, count in _runs(latest)]
    names = list(dict.fromkeys(touch["name"].replace("_", " ") for touch in reversed(touches) if touch["name"]))
    did = f": {', '.join(reversed(names[:_LAST_THINGS]))}" if names else ""
    return " → ".join([*([", ".join(before)] if before else []), *steps]) + did


def _met(action: Action) -> list[str]:
    """Channels that left an identifier, and browsers if several did."""
    types = [type_of(identifier) for identifier in action["identifiers"]]
    browsers = types.count("anonymous_id")
    return [name for kind, name in SEEN_IN.items() if kind in types] + (
        [f"{browsers} browsers"] if browsers > 1 else []
    )


def _runs(channels: list[str]) -> list[tuple[str, int]]:
    return [(channel, len(list(run))) for channel, run in groupby(channels)]


def strongest(action: Action) -> str:
    """An identifier that ``profile show`` will find: the address if there is one."""
    addresses = [identifier for identifier in action["identifiers"] if type_of(identifier) == "email"]
    return next(iter(addresses or action["identifiers"]), "")
