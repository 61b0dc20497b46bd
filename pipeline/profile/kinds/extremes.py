"""The smallest and the largest value of a numeric field. The cell is [value, event time, event id]."""

from typing import Any

from pipeline.profile.kinds.kind import Kind, unscaled


def _lift(value: int, timestamp_ms: int, event_id: str) -> list[Any]:
    return [value, timestamp_ms, event_id]


def _read(cell: list[Any], divisor: int) -> int | float:
    return unscaled(cell[0], divisor)


MIN = Kind("min", "number", _lift, min, _read, None)
MAX = Kind("max", "number", _lift, max, _read, None)
