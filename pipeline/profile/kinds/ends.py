"""The first and the last value of a field, by (event time, event id). The cell is [event time, event id, JSON text].

The text keeps any scalar comparable with any other, so that even two events of one id (which de-duplication should
have made impossible) have one order.
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
