"""Rules of the profile: which aggregates are kept. The structs are what ``aggregates.yaml`` is read into."""

import msgspec

from pipeline.profile.fields import AMOUNT, getter
from pipeline.profile.filter import Filter
from pipeline.profile.kinds import KINDS
from pipeline.profile.windows import LIFETIME, window


class AggregateRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number or value per profile and window, kept exact under merges and splits.

    What was booked stays booked: a changed filter, field or window holds for events from then on; a changed ``kind``
    starts anew.
    """

    name: str
    """What the profile calls it: ``orders``, ``spent``."""
    kind: str = "count"
    """count, sum, average, min, max, first, last, most_frequent, unique (a list of up to 64 values), distinct (how
    many, within about 3 %), quantiles (p50, p90 and p99, within 1 %) or purchases (money by day, over the lifetime:
    recency, frequency and monetary value, from which predictions are made)."""
    field: str = ""
    """The field to take; ``amount`` is the event's money, kept by currency in minor units. Not for count."""
    filter: Filter = Filter()
    windows: tuple[str, ...] = (LIFETIME,)
    """Spans from 1m to 90d, and ``lifetime``."""

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
            msg = f"aggregate {self.name!r} of kind {self.kind} knows every day by itself: write windows: [{LIFETIME}]"
            raise ValueError(msg)


class AggregateRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``aggregates.yaml``."""

    aggregates: tuple[AggregateRule, ...] = ()

    def __post_init__(self) -> None:
        unique("aggregate", [rule.name for rule in self.aggregates])


def unique(what: str, names: list[str]) -> None:
    """Refuse two rules of one name.

    Raises:
        ValueError: A name is there twice, or is empty.
    """
    for at, name in enumerate(names):
        if not name or name in names[:at]:
            msg = f"{what} {name!r} is there twice: give each a name of its own" if name else f"a {what} has no name"
            raise ValueError(msg)
