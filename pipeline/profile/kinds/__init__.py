"""The registry of aggregate kinds, by their names in rules. Each kind is one file."""

from functools import lru_cache
from typing import Final

from pipeline.profile.kinds.average import AVERAGE
from pipeline.profile.kinds.count import COUNT
from pipeline.profile.kinds.distinct import DISTINCT
from pipeline.profile.kinds.ends import FIRST, LAST
from pipeline.profile.kinds.extremes import MAX, MIN
from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.purchases import PURCHASES
from pipeline.profile.kinds.quantiles import QUANTILES
from pipeline.profile.kinds.sessions import GAP_MS, sessions
from pipeline.profile.kinds.since import TIME_SINCE
from pipeline.profile.kinds.total import SUM
from pipeline.profile.kinds.values import MOST_FREQUENT, TOP, UNIQUE

__all__ = ["KINDS", "Kind", "kind_of"]

SESSIONS: Final = sessions(GAP_MS)
KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        COUNT, SUM, AVERAGE, MIN, MAX, FIRST, LAST, MOST_FREQUENT, TOP, UNIQUE, DISTINCT, QUANTILES, PURCHASES,
        TIME_SINCE, SESSIONS,
    )
}  # fmt: skip


@lru_cache
def kind_of(booked: str) -> Kind:
    """Returns the kind with a ledger name: ``count``, or for sessions with the gap in ms ``sessions@1800000``."""
    name, _, gap_ms = booked.partition("@")
    return sessions(int(gap_ms)) if gap_ms else KINDS[name]
