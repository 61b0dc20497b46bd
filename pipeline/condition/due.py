"""Due times: the moment before which a comparison cannot turn out otherwise if nothing but time passes.

A due time may be early (who asks again finds nothing changed), never late, and always after the moment it was asked
for.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

FOREVER: Final = 1 << 60
"""In milliseconds since the epoch, no due time at all."""


def due_in_steps(holds: Callable[[Any], bool], value: Any, steps: Iterable[tuple[int, Any]]) -> int:
    """For a value that changes at known moments: the first at which the comparison turns. Exact.

    ``steps`` are (moment in ms, the value from then on), in the order of time, as long as there are any.
    """
    now = holds(value)
    for at_ms, later in steps:
        if holds(later) != now:
            return at_ms
    return FOREVER


def due_growing(holds: Callable[[Any], bool], thresholds: Sequence[int], value: int, as_of_ms: int) -> int:
    """For a value that grows by one each millisecond from ``value`` at ``as_of_ms``. Exact.

    ``thresholds`` are the values it is compared with, the least first: nothing can turn but on reaching one or passing
    it.
    """
    steps = ((as_of_ms + at - value, at) for threshold in thresholds for at in (threshold, threshold + 1) if at > value)
    return due_in_steps(holds, value, steps)
