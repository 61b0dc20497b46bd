"""Writes a tracking plan from events that came in: every event with its properties and their types.

>>> seen = Inferred()
>>> seen.add("track", "Signed Up", {"plan": "pro", "seats": 3}, {})
>>> seen.add("track", "Signed Up", {"plan": "free"}, {})
>>> print(seen.as_yaml(), end="")
plan:
  events:
    - name: "Signed Up" # 2 events
      properties:
        - {name: "plan", type: text, required: true}
        - {name: "seats", type: integer}
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.json import encode

from connectors.collect.tracking import MAX_NAME_CHARS, type_of_value
from pipeline.rules.tracking_plan import PropertyType

MAX_EVENTS: Final = 500
MAX_PROPERTIES: Final = 200
"""Of one event. What is beyond these limits is left out and noted in a comment."""
_IN_TRAITS: Final = frozenset({"identify", "group"})


class _Seen:
    """What was seen of one event."""

    def __init__(self) -> None:
        self.events, self.left_out = 0, 0
        self.types: dict[str, Counter[PropertyType]] = {}

    def add(self, bag: Mapping[str, Any]) -> None:
        self.events += 1
        for name, value in bag.items():
            kind = type_of_value(value)
            if kind == "any" or not 0 < len(name) <= MAX_NAME_CHARS or name.startswith("$"):
                continue  # null counts as missing; names with $ are the SDKs' own
            if name not in self.types and len(self.types) >= MAX_PROPERTIES:
                self.left_out += 1
                continue
            self.types.setdefault(name, Counter())[kind] += 1

    def lines(self) -> Iterable[str]:
        for name, kinds in sorted(self.types.items()):
            required = ", required: true" if kinds.total() == self.events else ""
            yield f"{{name: {_quoted(name)}, type: {_common(kinds)}{required}}}"
        if self.left_out:
            yield f"# more than {MAX_PROPERTIES} properties; {self.left_out} values of others are left out"


class Inferred:
    """Collects events, and writes the plan that all of them keep."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}
        self.left_out = 0
        """Events beyond ``MAX_EVENTS`` different names."""

    @property
    def events(self) -> int:
        """Returns the number of events that were added."""
        return sum(seen.events for seen in self._seen.values())

    def add(self, call: str, name: str, properties: Mapping[str, Any], traits: Mapping[str, Any]) -> None:
        """Adds an event. ``name`` is that of a track call."""
        key = (call, name if call == "track" else call)
        if not 0 < len(key[1]) <= MAX_NAME_CHARS or (key not in self._seen and len(self._seen) >= MAX_EVENTS):
            self.left_out += 1
            return
        self._seen.setdefault(key, _Seen()).add(traits if call in _IN_TRAITS else properties)

    def as_yaml(self) -> str:
        """Returns the plan as a part of a source in ``sources.yaml``."""
        lines = ["plan:", "  events:" if self._seen else "  events: []"]
        for (call, name), seen in sorted(self._seen.items()):
            number = f"{seen.events} event{'s' * (seen.events != 1)}"
            lines.append(f"    - name: {_quoted(name)} # {number}")
            if call != "track":
                lines.append(f"      call: {call}")
            if seen.types:
                lines.append("      properties:")
                lines += [f"        - {line}" if line[0] == "{" else f"        {line}" for line in seen.lines()]
        return "\n".join(lines) + "\n"


def _common(kinds: Counter[PropertyType]) -> PropertyType:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "number" if set(kinds) == {"integer", "number"} else "any"


def _quoted(text: str) -> str:
    """Returns a text in quotes, which YAML reads as JSON does."""
    return encode(text).decode()
