"""The number of events. The cell is the number."""

from operator import add, sub
from typing import Any

from pipeline.profile.kinds.kind import Kind


def _lift(_value: Any, _timestamp_ms: int, _event_id: str) -> int:
    return 1


def _read(cell: int, _divisor: int) -> int:
    return cell


COUNT = Kind("count", "nothing", _lift, add, _read, 0, subtract=sub)
