"""The kinds of aggregates, by the name rules use. A kind is one file; this is the registry."""

from typing import Final

from pipeline.profile.kinds.average import AVERAGE
from pipeline.profile.kinds.count import COUNT
from pipeline.profile.kinds.distinct import DISTINCT
from pipeline.profile.kinds.ends import FIRST, LAST
from pipeline.profile.kinds.extremes import MAX, MIN
from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.purchases import PURCHASES
from pipeline.profile.kinds.quantiles import QUANTILES
from pipeline.profile.kinds.total import SUM
from pipeline.profile.kinds.values import MOST_FREQUENT, UNIQUE

__all__ = ["KINDS", "Kind"]

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (COUNT, SUM, AVERAGE, MIN, MAX, FIRST, LAST, MOST_FREQUENT, UNIQUE, DISTINCT, QUANTILES, PURCHASES)
}
