"""The first and the last value of a field, by (event time, event id). The cell is [event time, event id, JSON text].

As text, any two scalars are comparable. So even two events with one id, which de-duplication should prevent, have a
fixed order.
"""

from typing import Any

import msgspec

from pipeline.profile.kinds.kind import Kind


def _lift(value: str, timestamp_ms: int, event_id: str) -> list[Any]:
    return [timestamp_ms, event_id, value]


def _read(cell: list[Any], _divisor: int) -> Any:
    return msgspec.json.decode(cell[2])


FIRST = Kind("first", "scalar", _lift, min, _read, None)
LAST = Kind("last", "scalar", _lift, max, _read, None)
