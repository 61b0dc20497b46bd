"""Reading aggregates: windows over the ledgers of one profile, at one moment."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any, Final

from pipeline.profile.buckets import Cell, Cells, Series
from pipeline.profile.fields import AMOUNT
from pipeline.profile.kinds import KINDS
from pipeline.profile.kinds.kind import MILLIONTHS
from pipeline.profile.ledger import Ledger
from pipeline.profile.rules import AggregateRule
from pipeline.profile.windows import first_bucket, window

_NOTHING: Final[dict[str, Cells]] = {}


class Reader:
    """Reads one aggregate rule: ``{window: value}``, or for money ``{window: {currency: minor units}}``."""

    def __init__(self, rule: AggregateRule) -> None:
        self.name = rule.name
        self.key = f"{rule.kind}:{rule.name}"
        self._kind = KINDS[rule.kind]
        self._by_currency = rule.field == AMOUNT
        self._divisor = 1 if self._by_currency else MILLIONTHS
        self._windows = tuple(window(label) for label in rule.windows)

    @property
    def countable(self) -> bool:
        """Whether the values are numbers of events or sums, which have a place in the published record."""
        return self._kind.add is add

    def by_group(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, dict[str, Any]]:
        """The windows by currency; of anything but money under "" alone."""
        groups: dict[str, list[Cells]] = {} if self._by_currency else {"": []}
        for ledger in ledgers:
            for group, cells in ledger.aggregates.get(self.key, _NOTHING).items():
                groups.setdefault(group, []).append(cells)
        return {group: self._windows_of(groups[group], as_of_ms) for group in sorted(groups)}

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, Any]:
        """The value of every window of the rule at ``as_of_ms``, which must not be before the newest touch."""
        groups = self.by_group(ledgers, as_of_ms)
        if not self._by_currency:
            return groups[""]
        return {
            label: {currency: values[label] for currency, values in groups.items() if values[label] is not None}
            for label, _, _ in self._windows
        }

    def _windows_of(self, parts: list[Cells], as_of_ms: int) -> dict[str, Any]:
        kind, divisor = self._kind, self._divisor
        found: dict[str, Any] = {}
        for label, length_ms, tier in self._windows:
            if tier is None:
                cells: list[Cell] = [part.total for part in parts]
            else:
                oldest, cells = first_bucket(tier.width_ms, length_ms, as_of_ms), []
                for part in parts:
                    series: Series | None = getattr(part, tier.field)
                    if series is not None and series.at[-1] >= oldest:
                        cells += series.since(oldest)
            if not cells:
                found[label] = kind.empty
            elif kind.add is add:
                found[label] = kind.read(sum(cells), divisor)
            else:
                found[label] = kind.read(reduce(kind.add, cells), divisor)
        return found


def read_aggregates(readers: Sequence[Reader], ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, dict[str, Any]]:
    """Every aggregate by name and window."""
    return {reader.name: reader.read(ledgers, as_of_ms) for reader in readers}
