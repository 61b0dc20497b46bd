"""The rules of ``aggregates.yaml``: the aggregates and ratios of a profile."""

from typing import Annotated

import msgspec

from pipeline.event.duration import MINUTE_MS
from pipeline.event.form import PositiveDuration, WindowLabel, choice
from pipeline.profile.fields import AMOUNT, getter
from pipeline.profile.filter import Filter
from pipeline.profile.kinds import KINDS
from pipeline.profile.kinds.sessions import GAP_MS, MIN_GAP_MS, NAME
from pipeline.profile.windows import LIFETIME, window


class AggregateRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number or value per profile and window, exact under merges and splits.

    Changes of a filter, field, window or time zone apply to later events; booked events stay as they are. A changed
    ``kind`` or ``gap`` starts an empty aggregate.
    """

    name: str
    """Its name in the profile: ``orders``, ``spent``."""
    kind: Annotated[str, choice(KINDS)] = "count"
    """count, sum, average, min, max, first, last, most_frequent, top (the five most frequent with counts and shares),
    unique (a list of up to 64 values), distinct (the number of values: exact up to 256, beyond that within 6.5 % in 95
    of 100 cases), quantiles (p50, p90 and p99 by nearest rank, within 1 %), time_since (milliseconds since the newest
    event), sessions, or purchases (money by day over the lifetime: recency, frequency and monetary value, the input of
    predictions)."""
    field: str = ""
    """The aggregated field. ``amount`` is the event's money, by currency in minor units; ``hour`` (0 to 23) and
    ``weekday`` (1, Monday, to 7) are local to the ``time_zone``. Not for count, time_since and sessions."""
    filter: Filter = Filter()
    windows: tuple[WindowLabel, ...] = (LIFETIME,)
    """Windows from 1m to 90d, and ``lifetime``. Sessions have no lifetime."""
    gap_ms: PositiveDuration = GAP_MS
    """For sessions: a session ends after this time without a matching event. At least 5 min."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"kind {self.kind!r} is unknown: write one of {', '.join(KINDS)}"
            raise ValueError(msg)
        if (KINDS[self.kind].takes == "nothing") == bool(self.field):
            msg = f"aggregate {self.name!r} of kind {self.kind} {'takes no' if self.field else 'needs a'} field"
            raise ValueError(msg)
        if self.field:
            getter(self.field)
        if KINDS[self.kind].takes == "money" and self.field != AMOUNT:
            msg = f"aggregate {self.name!r} of kind {self.kind} is about money: write field: {AMOUNT}"
            raise ValueError(msg)
        if not self.windows:
            msg = f"aggregate {self.name!r} has no windows: write at least [{LIFETIME}]"
            raise ValueError(msg)
        for label in self.windows:
            window(label)
        if KINDS[self.kind].lifetime_only and self.windows != (LIFETIME,):
            msg = f"aggregate {self.name!r} of kind {self.kind} only has a lifetime: write windows: [{LIFETIME}]"
            raise ValueError(msg)
        if not KINDS[self.kind].for_ever and LIFETIME in self.windows:
            msg = f"aggregate {self.name!r} of kind {self.kind} has no lifetime: write windows of up to 90 d"
            raise ValueError(msg)
        self._check_gap()

    def _check_gap(self) -> None:
        if self.kind != NAME and self.gap_ms != GAP_MS:
            msg = f"gap is for sessions, and aggregate {self.name!r} is of kind {self.kind}: leave it out"
            raise ValueError(msg)
        if self.gap_ms < MIN_GAP_MS:
            msg = f"gap of aggregate {self.name!r} is too short: write {MIN_GAP_MS // MINUTE_MS} min or more"
            raise ValueError(msg)

    @property
    def key(self) -> str:
        """The key of its cells in ledgers. It contains everything that changes the meaning of a cell."""
        return f"{self.kind}@{self.gap_ms}:{self.name}" if self.kind == NAME else f"{self.kind}:{self.name}"


class Ratio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quotient of two aggregates over their common windows, computed when read, such as a click rate."""

    name: str
    of: str
    """The dividend: a count or a sum."""
    to: str
    """The divisor: a count or a sum. If it is 0 there is no ratio."""


class AggregateRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``aggregates.yaml``."""

    aggregates: tuple[AggregateRule, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    time_zone: str = "UTC"
    """IANA name of the time zone for the fields ``hour`` and ``weekday``: ``Europe/Berlin``."""

    def __post_init__(self) -> None:
        unique("aggregate", [rule.name for rule in self.aggregates])
        unique("ratio", [ratio.name for ratio in self.ratios])
        known = {rule.name: rule for rule in self.aggregates}
        for ratio in self.ratios:
            self._check(ratio, known)

    def _check(self, ratio: Ratio, known: dict[str, AggregateRule]) -> None:
        for name in (ratio.of, ratio.to):
            rule = known.get(name)
            if rule is None or not KINDS[rule.kind].countable:
                what = "is not there" if rule is None else f"is of kind {rule.kind}"
                msg = f"ratio {ratio.name!r} names aggregate {name!r}, which {what}: name a count or a sum"
                raise ValueError(msg)
        if not set(known[ratio.of].windows) & set(known[ratio.to].windows):
            msg = f"ratio {ratio.name!r}: {ratio.of!r} and {ratio.to!r} share no window: give both one"
            raise ValueError(msg)


def unique(what: str, names: list[str]) -> None:
    """Checks that names are unique.

    Raises:
        ValueError: A name occurs twice, or is empty.
    """
    for at, name in enumerate(names):
        if not name or name in names[:at]:
            msg = f"{what} {name!r} is there twice: give each a name of its own" if name else f"a {what} has no name"
            raise ValueError(msg)
