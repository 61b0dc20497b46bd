"""The timeline: the newest touches and the newest CRM activities of a ledger, one line of text each.

A line is formatted once, when its touch is booked, and only copied when the row is written, because rows are written
far more often than they are read. Lines sort as text by (event time, event id).
"""

from bisect import insort
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.profile.messages import Touch

Line: TypeAlias = str
TIMELINE_ENTRIES: Final = 20
CRM: Final = "crm"
_SEPARATOR: Final = "\x1f"
_DETAILS: Final = ("title", "name", "product", "subject", "url", "path", "sku")
"""Properties that describe an event for a reader. The first one present becomes the detail."""
_OUTCOMES: Final = ("stage", "previous_stage", "outcome", "status", "disposition", "lost_reason")
"""Properties with the outcome of a CRM activity or the stage of a deal."""
_DETAIL_CHARACTERS: Final = 120


class Entry(NamedTuple):
    """A parsed line."""

    timestamp_ms: int
    event_id: str
    channel: str
    type: str
    event: str
    amount_minor: int
    currency: str
    detail: str
    """The subject of the event in at most 120 characters, or ""."""

    def summary(self) -> str:
        """The line for a reader: event, channel, subject and amount."""
        words = f"{self.event or self.type} on {self.channel}"
        if self.detail:
            words += f": {self.detail}"
        return f"{words} ({self.amount_minor} {self.currency} in minor units)" if self.currency else words


def is_activity(touch: Touch) -> bool:
    """Whether a touch is a CRM activity: a call, a meeting, a changed stage, a closed deal, not contact data."""
    return touch.channel == CRM and touch.type == "track"


def book_line(timeline: list[Line], touch: Touch) -> None:
    """Adds the touch's line if it is among the newest. ``timeline`` stays sorted, oldest first."""
    line = line_of(touch)
    if not timeline or line > timeline[-1]:
        timeline.append(line)
    else:
        insort(timeline, line)
    if len(timeline) > TIMELINE_ENTRIES:
        del timeline[0]


def line_of(touch: Touch) -> Line:
    """Returns the line of a touch. Event times before 1970 would not sort; INTAKE rejects them."""
    name, event_id = touch.name, touch.event_id
    if _SEPARATOR in name or _SEPARATOR in event_id:
        name, event_id = name.replace(_SEPARATOR, " "), event_id.replace(_SEPARATOR, " ")
    properties = touch.properties
    detail = activity_of(properties) if touch.channel == CRM and is_activity(touch) else detail_of(properties)
    return (
        f"{touch.timestamp_ms:015d}\x1f{event_id}\x1f{touch.channel}\x1f{touch.type}\x1f{name}"
        f"\x1f{touch.amount_minor}\x1f{touch.currency}\x1f{detail}"
    )


def read_line(line: Line) -> Entry:
    """Parses a line of :func:`line_of`."""
    timestamp_ms, event_id, channel, kind, name, amount_minor, currency, detail = line.split(_SEPARATOR, 7)
    return Entry(int(timestamp_ms), event_id, channel, kind, name, int(amount_minor), currency, detail)


def detail_of(properties: dict[str, Any]) -> str:
    """Returns the subject of an event, or ""."""
    for name in _DETAILS:
        if name in properties:
            value = properties[name]
            if type(value) is str and value:
                return value[:_DETAIL_CHARACTERS]
    return ""


def activity_of(properties: dict[str, Any]) -> str:
    """Returns the subject of a CRM activity, with its stage and outcome."""
    parts = [detail_of(properties)]
    for name in _OUTCOMES:
        value = properties.get(name)
        if type(value) is str and value:
            parts.append(f"{name.replace('_', ' ')} {value}")
    return ", ".join(filter(None, parts))[:_DETAIL_CHARACTERS]


def merge_timelines(one: list[Line], other: list[Line]) -> list[Line]:
    """Returns the newest lines of two disjoint histories."""
    return sorted(one + other)[-TIMELINE_ENTRIES:]
