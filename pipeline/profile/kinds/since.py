"""The time since the newest event, in ms. The cell is the event time."""

from typing import Any

from pipeline.profile.kinds.kind import Kind


def _lift(_value: Any, timestamp_ms: int, _event_id: str) -> int:
    return timestamp_ms


def _read(cell: int, as_of_ms: int) -> int:
    return as_of_ms - cell


TIME_SINCE = Kind("time_since", "nothing", _lift, max, _read, None, by_moment=True)
