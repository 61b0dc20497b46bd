"""The mean of a numeric field. The cell is [sum, count]: integers, divided when read."""

from typing import Any

from pipeline.profile.kinds.kind import Kind


def _lift(value: int, _timestamp_ms: int, _event_id: str) -> list[int]:
    return [value, 1]


def _add(one: list[int], other: list[int]) -> list[int]:
    return [one[0] + other[0], one[1] + other[1]]


def _read(cell: list[int], divisor: int) -> Any:
    return cell[0] / (cell[1] * divisor)


def _subtract(one: list[int], other: list[int]) -> list[int] | None:
    return None if one[1] == other[1] else [one[0] - other[0], one[1] - other[1]]


AVERAGE = Kind("average", "number", _lift, _add, _read, None, subtract=_subtract)
