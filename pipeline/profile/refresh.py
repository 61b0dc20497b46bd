"""The refresh of profiles without new touches, whose windows slide and whose scores decay.

A refresh keeps the published records from becoming stale. A profile is published again one hour and one day after its
newest touch, when the shortest windows have become empty, and otherwise every ``refresh_ms`` until its longest window
is empty. Segments and triggers do not depend on it; they have due times of their own.
"""

from typing import Final

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.buckets import DAYS
from pipeline.profile.row import FOREVER

EMPTY_AFTER_MS: Final = (HOUR_MS, DAY_MS)
"""Ages of the newest touch at which the two shortest published windows become empty, in ms."""
QUIET_AFTER_MS: Final = (DAYS.keep + 1) * DAY_MS
"""The age of the newest touch at which all windows are empty, in ms. Scores still decay, as every read shows."""


def refresh_due_ms(as_of_ms: int, latest_ms: int, refresh_ms: int) -> int:
    """Returns the next refresh after ``as_of_ms``; FOREVER if there is none or ``refresh_ms`` is 0."""
    if not refresh_ms or as_of_ms >= latest_ms + QUIET_AFTER_MS:
        return FOREVER
    moments = [latest_ms + age_ms for age_ms in EMPTY_AFTER_MS if latest_ms + age_ms > as_of_ms]
    return min([*moments, as_of_ms + refresh_ms])
