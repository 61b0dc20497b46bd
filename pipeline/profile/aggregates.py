"""Reading aggregates: windows over the ledgers of one profile, at one moment."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final

from pipeline.event.money import exponent
from pipeline.profile.buckets import TIERS, Cell, Cells, Series
from pipeline.profile.fields import AMOUNT
from pipeline.profile.fold import gathered
from pipeline.profile.kinds import kind_of
from pipeline.profile.kinds.kind import MILLIONTHS
from pipeline.profile.kinds.since import TIME_SINCE
from pipeline.profile.ledger import Ledger
from pipeline.profile.records import Windows
from pipeline.profile.rules import AggregateRule
from pipeline.profile.windows import oldest_buckets, window

PUBLISHED: Final = {
    "1h": "last_1h", "24h": "last_24h", "7d": "last_7d", "30d": "last_30d", "90d": "last_90d", "lifetime": "lifetime",
}  # fmt: skip
"""The windows of the published record, with their names in it."""
_STANDARD: Final = tuple(window(label) for label in PUBLISHED)


class AggregateReader:
    """Reads one aggregate rule: ``{window: value}``, or for money ``{window: {currency: minor units}}``."""

    def __init__(self, rule: AggregateRule) -> None:
        self.name = rule.name
        self.windows = tuple(window(label) for label in rule.windows)
        self.key = rule.key
        self._kind = kind_of(rule.key.partition(":")[0])
        self.by_currency = rule.field == AMOUNT
        self._is_moment = rule.field == "timestamp_ms" and rule.kind in {"first", "last", "min", "max"}
        self._divisor = MILLIONTHS if self._kind.takes == "number" and not self.by_currency else 1
        kept = {window.tier for window in self.windows}
        self._minutes, self._hours, self._days = (tier in kept for tier in TIERS)

    @property
    def is_span(self) -> bool:
        """Whether the values are durations in milliseconds."""
        return self._kind is TIME_SINCE

    @property
    def is_moment(self) -> bool:
        """Whether the values are moments in milliseconds since the epoch."""
        return self._is_moment

    @property
    def countable(self) -> bool:
        """Whether the values are counts or sums; the published record contains only these."""
        return self._kind.countable

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, Any]:
        """Returns the value of every window of the rule at ``as_of_ms``, which must not be before the newest touch."""
        oldest = oldest_buckets(self.windows, as_of_ms)
        argument = as_of_ms if self._kind.by_moment else self._divisor
        groups = {group: self._values(parts, oldest, argument) for group, parts in sorted(self._parts(ledgers).items())}
        if not self.by_currency:
            return groups.get("") or self._values([], oldest, argument)
        return {
            label: {currency: values[label] for currency, values in groups.items() if values[label] is not None}
            for label, _, _ in self.windows
        }

    def totals(self, parts: Sequence[Cells], oldest: Sequence[int]) -> Windows:
        """Returns a countable rule's windows for the published record. Rounds sums of fractions.

        ``oldest``: the oldest bucket of each window but the lifetime. Windows of a width that the rule does not keep
        are 0.
        """
        # Written out instead of a loop: this runs for every aggregate of every update, and adds a cell that two windows
        # contain only once.
        first_1h, first_24h, first_7d, first_30d, first_90d = oldest
        hour = day = week = month = quarter = lifetime = 0
        for part in parts:
            lifetime += part.total
            minutes, hours, days = part.minutes, part.hours, part.days
            if minutes is not None and self._minutes and minutes.at[-1] >= first_1h:
                hour += sum(minutes.since(first_1h))
            if hours is not None and self._hours:
                if hours.at[0] >= first_24h:
                    longer = shorter = sum(hours.cells)
                else:
                    longer, shorter = _sums(hours, first_7d, first_24h)
                week += longer
                day += shorter
            if days is not None and self._days:
                if days.at[0] >= first_30d:
                    longer = shorter = sum(days.cells)
                else:
                    longer, shorter = _sums(days, first_90d, first_30d)
                quarter += longer
                month += shorter
        divisor = self._divisor
        if divisor == 1:
            return Windows(hour, day, week, month, quarter, lifetime)
        return Windows(*(round(total / divisor) for total in (hour, day, week, month, quarter, lifetime)))

    def _parts(self, ledgers: Sequence[Ledger]) -> dict[str, list[Cells]]:
        """Returns the rule's cells by group, from every ledger that has any."""
        parts: dict[str, list[Cells]] = {}
        for ledger in ledgers:
            for group, cells in ledger.aggregates.get(self.key, {}).items():
                parts.setdefault(group, []).append(cells)
        return parts

    def _values(self, parts: list[Cells], oldest: Mapping[str, int], argument: int) -> dict[str, Any]:
        kind = self._kind
        values: dict[str, Any] = {}
        for label, _, tier in self.windows:
            cells: list[Cell] = []
            for part in parts:
                if tier is None:
                    cells.append(part.total)
                else:
                    series: Series | None = getattr(part, tier.field)
                    cells += series.since(oldest[label]) if series is not None else []
            values[label] = kind.read(reduce(kind.add, cells), argument) if cells else kind.empty
        return values


def _sums(series: Series, longer: int, shorter: int) -> tuple[int, int]:
    """Returns the sums from two buckets on. Reuses the shorter sum for the longer one."""
    at, cells = series.at, series.cells
    if at[0] < longer:
        place = bisect_left(at, longer)
        at, cells = at[place:], cells[place:]
        if not at:
            return 0, 0
    total = sum(cells)
    return total, total if at[0] >= shorter else sum(cells[bisect_left(at, shorter) :])


def read_aggregates(
    readers: Sequence[AggregateReader], ledgers: Sequence[Ledger], as_of_ms: int
) -> dict[str, dict[str, Any]]:
    """Returns the value of every aggregate by name and window."""
    return {reader.name: reader.read(ledgers, as_of_ms) for reader in readers}


def is_by_currency(value: Any) -> bool:
    """Returns whether a value is money by currency, and not a record of parts such as p50 and p90."""
    return isinstance(value, dict) and all(exponent(name) is not None for name in value)


class Totals:
    """Reads the counts and sums that a profile has for the published record, with money under ``name.CUR``.

    Iterates over the profile's cells and not over the rules, because a profile has cells of few rules.
    """

    def __init__(self, readers: Sequence[AggregateReader]) -> None:
        countable = [reader for reader in readers if reader.countable]
        self._readers = {reader.key: reader for reader in countable}
        self._as_of_ms, self._oldest = 0, _oldest_standard(0)

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, Windows]:
        """Returns windows by name. A missing aggregate is 0 in every window."""
        readers, oldest = self._readers, self._oldest_at(as_of_ms)
        totals: dict[str, Windows] = {}
        if len(ledgers) == 1:  # the usual case
            for key, groups in ledgers[0].aggregates.items():
                reader = readers.get(key)
                if reader is None:
                    continue
                for currency, cells in groups.items():
                    name = f"{reader.name}.{currency}" if reader.by_currency else reader.name
                    totals[name] = reader.totals((cells,), oldest)
            return totals
        for key, part in gathered([ledger.aggregates for ledger in ledgers], readers).items():
            reader = readers[key]
            if reader.by_currency:
                for currency in dict.fromkeys(currency for groups in part for currency in groups):
                    several = [groups[currency] for groups in part if currency in groups]
                    totals[f"{reader.name}.{currency}"] = reader.totals(several, oldest)
            else:
                totals[reader.name] = reader.totals([groups[""] for groups in part], oldest)
        return totals

    def _oldest_at(self, as_of_ms: int) -> list[int]:
        """Returns the windows' oldest buckets. Cached, because all profiles of a commit are read at one moment."""
        if as_of_ms != self._as_of_ms:
            self._as_of_ms, self._oldest = as_of_ms, _oldest_standard(as_of_ms)
        return self._oldest


def _oldest_standard(as_of_ms: int) -> list[int]:
    return list(oldest_buckets(_STANDARD[:-1], as_of_ms).values())
