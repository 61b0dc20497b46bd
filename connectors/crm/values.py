"""The values that are written to a CRM, from an action: fields, the reason in one line, the story in several."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from connectors.crm.sink import Action
from pipeline.event.instant import format_instant

MAX_CONTRIBUTIONS: Final = 5
MAX_TIMELINE: Final = 10


def action_value(action: Action, name: str) -> str:
    """Returns a value of an action by its name in ``crm.yaml``; "" if the action does not have it."""
    family, dot, key = name.partition(".")
    if not dot:
        return _TIMES[name](action) if name in _TIMES else number_text(action.body.get(name, ""))
    if family == "identifier":
        prefix = f"{key}:"
        values = (text.removeprefix(prefix) for text in action.body.get("identifiers", ()) if text.startswith(prefix))
        return next(values, "")
    return number_text(action.body.get(family, {}).get(key, ""))


def number_text(value: Any) -> str:
    """Returns a value as text; numbers without a trailing zero, and with at most two decimals.

    >>> number_text(71.0), number_text(0.125), number_text("a")
    ('71', '0.12', 'a')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def last_touch(action: Action) -> str:
    """Returns the time of the newest event as ISO 8601; "" without one."""
    timeline = action.body.get("timeline", ())
    return (format_instant(timeline[0]["timestamp_ms"]) or "") if timeline else ""


def fired_at(action: Action) -> str:
    """Returns the time of the action as ISO 8601."""
    return format_instant(action.body.get("timestamp_ms", 0)) or ""


_TIMES: Final[Mapping[str, Callable[[Action], str]]] = {"last_touch": last_touch, "timestamp": fired_at}


def reason_line(action: Action) -> str:
    """Returns why this is a lead, in one line."""
    body = action.body
    cause = f"segment {body.get('segment')}" if body.get("segment") else f"score {number_text(body.get('score', 0.0))}"
    parts = ", ".join(_contribution(one) for one in body.get("contributions", ())[:MAX_CONTRIBUTIONS])
    return f"{cause} {body.get('event', '')}".strip() + (f": {parts}" if parts else "")


def story_lines(action: Action, reason: str, owner_reason: str) -> Sequence[str]:
    """Returns the story of a lead for its representative, line by line."""
    body = action.body
    lines = [f"Stitchline lead ({body.get('trigger', '')}): {reason}"]
    if body.get("grade"):
        lines.append(f"Grade: {body['grade']}")
    if owner_reason:
        lines.append(f"Owner: {owner_reason}")
    if refused := _refused_channels(body.get("consent", "")):
        lines.append(f"No consent for: {', '.join(refused)}")
    lines += [
        f"{format_instant(entry['timestamp_ms']) or ''} {entry['channel']}: {entry['summary']}"
        for entry in body.get("timeline", ())[:MAX_TIMELINE]
    ]
    return lines


def _contribution(one: Mapping[str, Any]) -> str:
    return f"{one['rule']} {'+' if one['points'] >= 0 else ''}{number_text(float(one['points']))}"


def _refused_channels(text: str) -> list[str]:
    try:
        consent = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return []
    return sorted(name for name, given in consent.items() if given is False)
