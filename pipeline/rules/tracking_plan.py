"""Tracking plans: which events a source sends, and their properties. A plan is part of a source in ``sources.yaml``."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from pipeline.event.model import EventType
from pipeline.profile.rules import unique

PropertyType: TypeAlias = Literal["any", "text", "number", "integer", "boolean", "object", "list"]
PlanName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]


class PlannedProperty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A property of an event."""

    name: PlanName
    type: PropertyType = "any"
    """A number may be an integer. Null counts as missing."""
    required: bool = False
    one_of: tuple[str, ...] = ()
    """The texts that it may be. Empty: any."""

    def __post_init__(self) -> None:
        if self.one_of and self.type not in {"any", "text"}:
            msg = f"one_of lists texts, and the type is {self.type}; write type: text"
            raise ValueError(msg)


class PlannedEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that a source sends."""

    name: PlanName
    """Name of a track call; for other calls the type of the call: identify, page, screen, group, alias."""
    call: EventType = "track"
    properties: tuple[PlannedProperty, ...] = ()
    """Of identify and group calls: the traits."""
    closed: bool = False
    """Whether properties that are not listed break the plan."""

    def __post_init__(self) -> None:
        if self.call not in {"track", self.name}:
            msg = f"name must be {self.call} for a call of this type; only track calls have names"
            raise ValueError(msg)
        unique("property", [planned.name for planned in self.properties])


class TrackingPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The events that a source sends. What breaks the plan is counted by name: `stitchline plan violations`."""

    unplanned: Literal["pass", "block"] = "pass"
    """What becomes of events that are not listed: counted and let through, or quarantined."""
    violations: Literal["pass", "trim", "block"] = "pass"
    """What becomes of events whose properties break the plan: let through, without the wrong properties, or
    quarantined. A missing property cannot be trimmed: the event is let through."""
    events: tuple[PlannedEvent, ...] = ()

    def __post_init__(self) -> None:
        unique("event", [f"{event.call} {event.name}" for event in self.events])
