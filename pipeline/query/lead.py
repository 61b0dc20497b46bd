"""A CRM action as short texts: the customer's name, contact, reasons for the lead, and history."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, Final

from pipeline.event.identifier import type_of

Action = Mapping[str, Any]
"""The fields of a ``crm-action`` record."""

SEEN_IN: Final = {
    "click_id": "ad", "device_id": "app", "loyalty_id": "store card", "email": "email", "crm_contact_id": "CRM",
}  # fmt: skip
"""Identifier type to the channel it comes from."""
IN_CHANNEL: Final = {"ads": "ad", "pos": "store card", "crm": "CRM"}
"""Channel to its display name, where the two differ."""
_LATEST_EVENT_NAMES: Final = 2


def display_name(action: Action) -> str:
    """Returns the customer's name, else the contact address, else the strongest identifier."""
    contact = action["contact"]
    stated = contact.get("name") or " ".join(filter(None, (contact.get("firstName"), contact.get("lastName"))))
    return stated or reach(action) or next(iter(action["identifiers"]), action["profile_id"])


def reach(action: Action) -> str:
    """Returns the e-mail address, else the telephone number, else ""."""
    contact = action["contact"]
    return str(contact.get("email") or contact.get("phone") or "")


def is_duplicate(action: Action) -> bool:
    """Returns whether the action closes a lead as a duplicate of another one."""
    return bool(action["kind"] == "duplicate_of")


def reasons(action: Action, limit: int = 3) -> str:
    """Returns the contributions to the score, largest first; those beyond ``limit`` are summed up as "other".

    The rules of a group are summed up, because the group's cap limits their sum.
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
    """Returns the customer's history: earlier channels, then the latest touches by channel, then the latest events."""
    touches = list(reversed(action["timeline"]))
    latest = [IN_CHANNEL.get(touch["channel"], touch["channel"]) for touch in touches]
    before = [channel for channel in _channels_of_identifiers(action) if channel not in latest]
    steps = [channel if count == 1 else f"{count} {channel}" for channel, count in _runs(latest)]
    names = list(dict.fromkeys(touch["name"].replace("_", " ") for touch in reversed(touches) if touch["name"]))
    latest_events = f": {', '.join(reversed(names[:_LATEST_EVENT_NAMES]))}" if names else ""
    return " → ".join([*([", ".join(before)] if before else []), *steps]) + latest_events


def _channels_of_identifiers(action: Action) -> list[str]:
    """Returns the channels that the identifiers come from, and the number of browsers if there are several."""
    types = [type_of(identifier) for identifier in action["identifiers"]]
    browsers = types.count("anonymous_id")
    return [name for kind, name in SEEN_IN.items() if kind in types] + (
        [f"{browsers} browsers"] if browsers > 1 else []
    )


def _runs(channels: list[str]) -> list[tuple[str, int]]:
    return [(channel, len(list(run))) for channel, run in groupby(channels)]


def strongest(action: Action) -> str:
    """Returns an identifier that ``profile show`` finds: the e-mail address, else the strongest; "" without any."""
    addresses = [identifier for identifier in action["identifiers"] if type_of(identifier) == "email"]
    return next(iter(addresses or action["identifiers"]), "")
