"""Checks the events of a source against its tracking plan, and counts what breaks it by name."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from connectors.collect.dialects.parsed import Document, object_of
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected
from pipeline.rules.tracking_plan import PlannedEvent, PlannedProperty, PropertyType, TrackingPlan

Problem: TypeAlias = Literal["unplanned event", "unplanned property", "missing", "wrong type", "not one of"]

MAX_NAMES: Final = 1_000
"""Different violations of a source that are counted by name. Names come from outside: further ones count together."""
MAX_NAME_CHARS: Final = 200
OTHERS: Final = "(others)"
_IN_TRAITS: Final = frozenset({"identify", "group"})
_NAMED_CALLS: Final = frozenset({"page", "screen"})
_AT_THE_TOP: Final = ("name", "category")
"""Properties of page and screen calls that SDKs send outside ``properties``."""


class Violation(Struct, frozen=True, order=True):
    """One way in which a source breaks its plan."""

    event: str
    property: str
    """Empty for an unplanned event."""
    problem: Problem


class Violations:
    """The counts of one source."""

    def __init__(self, counts: Mapping[Violation, int] | None = None) -> None:
        self.counts: Counter[Violation] = Counter(counts or {})

    def add(self, violation: Violation) -> None:
        """Counts a violation."""
        if violation not in self.counts and len(self.counts) >= MAX_NAMES:
            violation = Violation(OTHERS, "", violation.problem)
        self.counts[violation] += 1


class PlanCheck:
    """The plan of one source."""

    def __init__(self, plan: TrackingPlan, violations: Violations) -> None:
        self._plan, self._violations = plan, violations
        self._events: dict[tuple[str, str], _Properties] = {
            (event.call, event.name): _Properties(event) for event in plan.events
        }

    def apply(self, document: Document) -> Rejected | None:
        """Counts what breaks the plan, and trims the document in place. Returns why it is blocked, or None."""
        call = document.get("type", "track")
        name = document.get("event") if call == "track" else call
        if not isinstance(call, str) or not isinstance(name, str):
            return None  # no event: it is rejected for that
        planned = self._events.get((call, name))
        if planned is None:
            self._violations.add(Violation(name[:MAX_NAME_CHARS], "", "unplanned event"))
            return _blocked("the plan does not name this event") if self._plan.unplanned == "block" else None
        bags = _bags(document, call)
        found = planned.check(bags)
        for violation in found:
            self._violations.add(violation)
        if not found or self._plan.violations == "pass":
            return None
        if self._plan.violations == "block":
            return _blocked(_described(found[0]))
        for violation in found:
            for bag in bags:
                bag.pop(violation.property, None)
        return None


class _Properties:
    """The planned properties of one event."""

    def __init__(self, event: PlannedEvent) -> None:
        self._event = event.name
        self._planned = event.properties
        self._names = {planned.name for planned in event.properties}
        self._closed = event.closed

    def check(self, bags: list[Document]) -> list[Violation]:
        found = []
        for planned in self._planned:
            problem = _problem(planned, next((bag[planned.name] for bag in bags if planned.name in bag), None))
            if problem is not None:
                found.append(Violation(self._event, planned.name, problem))
        if self._closed:
            unplanned = {name for name in bags[0] if name not in self._names and not name.startswith("$")}
            found += [Violation(self._event, name[:MAX_NAME_CHARS], "unplanned property") for name in sorted(unplanned)]
        return found


def type_of_value(value: Any) -> PropertyType:
    """Returns the most exact type of a JSON value; ``any`` for null."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "object" if isinstance(value, dict) else "list" if isinstance(value, list) else "any"


def _problem(planned: PlannedProperty, value: Any) -> Problem | None:
    if value is None:
        return "missing" if planned.required else None
    kind = type_of_value(value)
    if planned.type not in {"any", kind} and not (planned.type == "number" and kind == "integer"):
        return "wrong type"
    return "not one of" if planned.one_of and value not in planned.one_of else None


def _bags(document: Document, call: str) -> list[Document]:
    """Returns the objects that hold a call's properties, which trimming changes. The first is the main one."""
    if call in _IN_TRAITS:
        return [object_of(document.get("traits")), object_of(object_of(document.get("context")).get("traits"))]
    properties = object_of(document.get("properties"))
    if call in _NAMED_CALLS:
        for name in _AT_THE_TOP:  # where INTAKE puts them too
            if isinstance(document.get(name), str):
                properties.setdefault(name, document.pop(name))
        document["properties"] = properties
    return [properties]


def _blocked(why: str) -> Rejected:
    return Rejected(Reason.INVALID_FIELD, f"tracking plan: {why}")


def _described(violation: Violation) -> str:
    """Returns a text that names a planned property, and never one that the sender made up."""
    if violation.problem == "unplanned property":
        return "a property is not in the plan of this event"
    return f"{violation.property}: {violation.problem}"
