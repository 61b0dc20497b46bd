"""When a profile is published again though nothing happened: its windows slide and its scores fade.

Decisions (segments, triggers) never wait for this, they have due times of their own. It keeps what downstream services
read from growing stale: a profile is published again an hour and a day after its newest touch, when the shortest
windows have emptied, and otherwise every ``refresh_ms``, until its longest window is empty too.
"""

from typing import Final

from pipeline.event.duration import DAY_MS, HOUR_MS
from pipeline.profile.buckets import DAYS
from pipeline.profile.row import FOREVER

EMPTY_AFTER_MS: Final = (HOUR_MS, DAY_MS)
"""Ages of the newest touch at which the two shortest published windows hold nothing any more."""
QUIET_AFTER_MS: Final = (DAYS.keep + 1) * DAY_MS
"""By then all windows are empty; scores fade on, read as they are whenever somebody asks."""


def refresh_due_ms(as_of_ms: int, latest_ms: int, refresh_ms: int) -> int:
    """The next moment after ``as_of_ms``; FOREVER where there is none, or where ``refresh_ms`` is 0."""
    if not refresh_ms or as_of_ms >= latest_ms + QUIET_AFTER_MS:
        return FOREVER
    moments = [latest_ms + age_ms for age_ms in EMPTY_AFTER_MS if latest_ms + age_ms > as_of_ms]
    return min([*moments, as_of_ms + refresh_ms])
