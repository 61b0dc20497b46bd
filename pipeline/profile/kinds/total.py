"""The sum of a numeric field, or of the event's money by currency."""

from operator import add, sub

from pipeline.profile.kinds.kind import Kind, unscaled


def _lift(value: int, _timestamp_ms: int, _event_id: str) -> int:
    return value


SUM = Kind("sum", "number", _lift, add, unscaled, 0, subtract=sub)
