"""Due times: the moment before which time alone cannot change the result of a comparison.

A due time may be early (the next evaluation then finds no change) but never late. It is always later than the moment
of the evaluation.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

FOREVER: Final = 1 << 60
"""No due time, in milliseconds since the epoch: time alone never changes the result."""


def due_in_steps(holds: Callable[[Any], bool], value: Any, steps: Iterable[tuple[int, Any]]) -> int:
    """Returns the first moment at which the comparison changes, for a value that changes at known moments. Exact.

    ``steps`` are (moment in ms, the value from then on) in order of time.
    """
    now = holds(value)
    for at_ms, later in steps:
        if holds(later) != now:
            return at_ms
    return FOREVER


def due_growing(holds: Callable[[Any], bool], thresholds: Sequence[int], value: int, as_of_ms: int) -> int:
    """Returns the first moment at which the comparison changes, for a value that grows by 1 each millisecond. Exact.

    The value is ``value`` at ``as_of_ms``. ``thresholds`` are the values it is compared with, in ascending order.
    """
    # The result can change in two places only: on reaching a threshold, and one millisecond beyond it.
    steps = ((as_of_ms + at - value, at) for threshold in thresholds for at in (threshold, threshold + 1) if at > value)
    return due_in_steps(holds, value, steps)
