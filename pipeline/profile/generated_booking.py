"""Generates the booking function of touches that match the same rules: the whole plan in one body.

:class:`~pipeline.profile.booking.Plan` calls it once for each set of rules. The interpreted form of a booking, its
``book`` and ``note``, states what the function must do; a property test compares the two on random rules and touches.
The source for one count over 24 hours under ``product_viewed``::

    def book(ledger, touch):
        at_ms = touch.timestamp_ms
        hour = at_ms // 3600000
        aggregates = ledger.aggregates
        # count:products_viewed
        groups = aggregates.get('count:products_viewed')
        cells = None if groups is None else groups.get('')
        if cells is None:
            ...

``stitchline rules show --compiled`` prints the functions of the rules in force.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final, NamedTuple, TypeAlias

import msgspec

from pipeline.condition.source import Source
from pipeline.profile.buckets import Cells, Series, put, shared
from pipeline.profile.fields import AMOUNT, OBJECTS
from pipeline.profile.filter import Test
from pipeline.profile.kinds.count import COUNT
from pipeline.profile.kinds.ends import FIRST, LAST
from pipeline.profile.kinds.extremes import MAX, MIN
from pipeline.profile.kinds.kind import Kind
from pipeline.profile.kinds.since import TIME_SINCE
from pipeline.profile.kinds.total import SUM
from pipeline.profile.occurrences import COUNTED, Occurrences
from pipeline.profile.ports import Booked, Booking
from pipeline.profile.rule_booking import Aggregate, Occurrence

Book: TypeAlias = Callable[..., Booked]
"""``book(ledger, touch)`` books a touch under every rule that it matches; or, of an order, ``record(ledger, touch,
keys, share)``, which also appends the keys of sums of money to ``keys`` and notes the order's share."""

_BUCKETS: Final = {"minutes": "minute", "hours": "hour", "days": "day", "weeks": "week"}
_LIFTED: Final[dict[str, str]] = {
    COUNT.name: "1",
    SUM.name: "value",
    TIME_SINCE.name: "at_ms",
    MIN.name: "[value, at_ms, event_id]",
    MAX.name: "[value, at_ms, event_id]",
    FIRST.name: "[at_ms, event_id, value]",
    LAST.name: "[at_ms, event_id, value]",
}
"""Expressions for the cells of one event, of kinds whose ``lift`` is one."""
_EXTREME: Final = {MIN.name: "<", FIRST.name: "<", MAX.name: ">", LAST.name: ">", TIME_SINCE.name: ">"}
"""Kinds whose sum of two cells is one of them."""


class _Cell(NamedTuple):
    """The cell of one event in the source."""

    kind: Kind
    text: str
    """Its expression."""
    add: str
    """The name of the kind's ``add``."""


class Step(NamedTuple):
    """A rule that touches of one channel, type and name may match, and the tests that their content must pass."""

    rule: Booking
    tests: tuple[Test, ...]


def generated(
    steps: Sequence[Step], channel: str, kind: str, changed_bits: int, *, with_share: bool = False
) -> tuple[Book, str]:
    """Returns the function that books touches of a channel and type, and its source.

    ``changed_bits``: bits that every touch changes. ``with_share``: generates ``record`` instead of ``book``.
    """
    writer = _Writer(channel, kind, with_share)
    source = writer.written(steps, changed_bits)
    return source.compiled()["record" if with_share else "book"], source.text


class _Writer:
    def __init__(self, channel: str, kind: str, with_share: bool) -> None:
        self._channel, self._kind, self._with_share = channel, kind, with_share
        self._texts: dict[str, str] = {}
        """Variables that hold a field's value as JSON text, by field, for rules that every touch matches."""
        self._source = Source(
            Cells=Cells, Series=Series, Occurrences=Occurrences, Booked=Booked, put=put, shared=shared,
            json=msgspec.json.encode, scalars=(str, int, float, bool), one=COUNT.add,
        )  # fmt: skip

    def written(self, steps: Sequence[Step], changed_bits: int) -> Source:
        source = self._source
        source.add("def record(ledger, touch, keys, share):" if self._with_share else "def book(ledger, touch):")
        with source.block():
            self._head([step.rule for step in steps])
            sure = [step.rule for step in steps if not step.tests]
            given, taken = sum(max(0, rule.points) for rule in sure), sum(max(0, -rule.points) for rule in sure)
            for rule in sure:
                changed_bits |= rule.changed_bits
            if len(sure) == len(steps):
                booked = source.refer("booked", Booked(given, taken, changed_bits))
            else:
                source.add(f"given, taken, changed_bits = {given}, {taken}, {changed_bits:#x}")
                booked = "Booked(given, taken, changed_bits)"
            for step in steps:
                self._step(*step)
            source.add(f"return {booked}")
        return source

    def _head(self, rules: Sequence[Booking]) -> None:
        """Reads once what several rules need."""
        widths: dict[str, int] = {}
        for rule in rules:
            if isinstance(rule, Aggregate):
                widths |= {tier.field: tier.width_ms for tier in rule.tiers}
            elif isinstance(rule, Occurrence):
                widths |= {field: width_ms for field, width_ms, _ in COUNTED[rule.grain]}
        self._source.add("at_ms, event_id, currency = touch.timestamp_ms, touch.event_id, touch.currency")
        for field, width_ms in widths.items():
            self._source.add(f"{_BUCKETS[field]} = at_ms // {width_ms}")
        self._source.add("aggregates, occurrences = ledger.aggregates, ledger.occurrences")

    def _step(self, rule: Booking, tests: Sequence[Test]) -> None:
        if not tests:
            self._book(rule)
            return
        texts = dict(self._texts)
        passed = " and ".join(f"{self._source.refer('test', test)}(touch)" for test in tests)
        with self._source.block(f"if {passed}:"):
            self._book(rule)
            if rule.points:
                self._source.add(f"{'given' if rule.points > 0 else 'taken'} += {abs(rule.points)}")
            if rule.changed_bits:
                self._source.add(f"changed_bits |= {rule.changed_bits:#x}")
        self._texts = texts

    def _book(self, rule: Booking) -> None:
        if self._with_share and rule.sums_money:
            self._source.add(f"keys.append({rule.sums_money!r})")
        notes = self._with_share and bool(rule.filter.events)
        if isinstance(rule, Aggregate):
            self._aggregate(rule, notes=notes and rule.kind.subtract is not None)
        elif isinstance(rule, Occurrence):
            self._occurrence(rule, notes=notes)
        else:
            self._source.add(f"{self._source.refer('book', rule.book)}(ledger, touch)")
            if notes:
                self._source.add(f"{self._source.refer('note', rule.note)}(share, touch)")

    def _occurrence(self, rule: Occurrence, *, notes: bool) -> None:
        source = self._source
        source.add(f"# points: {rule.name!r}", f"counted = occurrences.get({rule.name!r})")
        source.add("if counted is None:", f"    counted = occurrences[{rule.name!r}] = Occurrences(0)")
        source.add("counted.total += 1")
        for field, _, keep in COUNTED[rule.grain]:
            self._bucket("counted", field, keep, _Cell(COUNT, "1", "one"))
        if notes:
            source.add(f"share.occurrences.append({rule.name!r})")

    def _aggregate(self, rule: Aggregate, *, notes: bool) -> None:
        source, kind = self._source, rule.kind
        source.add(f"# {rule.key!r}")
        condition, value = self._value(rule)
        if value:
            source.add(f"value = {value}")
        if condition:
            source.add(f"if {condition}:")
        with source.block() if condition else nullcontext():
            late = not rule.tiers and not notes and kind.name in {FIRST.name, LAST.name}
            cell = _LIFTED.get(kind.name)
            if cell is None:
                argument = "value" if value else "None"
                cell = f"{source.refer('lift', kind.lift)}({argument}, at_ms, event_id)"
            if not late and kind is not COUNT:
                source.add(f"cell = {cell}")
                cell = "cell"
            self._cells(rule, _Cell(kind, cell, "one" if kind is COUNT else source.refer("add", kind.add)), late=late)
            if notes:
                source.add(f"share.cells[{rule.key!r}] = {cell}")

    def _cells(self, rule: Aggregate, cell: _Cell, *, late: bool) -> None:
        """Adds a cell to the total and the buckets. ``late``: makes the cell only if it may replace the total."""
        source, kind, key = self._source, rule.kind, repr(rule.key)
        group = "currency" if rule.by_currency else "''"
        source.add(f"groups = aggregates.get({key})", f"cells = None if groups is None else groups.get({group})")
        with source.block("if cells is None:"):
            source.add("if groups is None:", f"    groups = aggregates[{key}] = {{}}")
            source.add(f"cells = groups[{group}] = Cells({cell.text if kind.for_ever else None})")
        if late:
            with source.block(f"elif at_ms {_EXTREME[kind.name]}= cells.total[0]:"):
                source.add(f"cell = {cell.text}")
                self._join("cells.total", cell._replace(text="cell"))
        elif kind.for_ever:
            with source.block("else:"):
                self._join("cells.total", cell)
        for field, _, keep in rule.tiers:
            self._bucket("cells", field, keep, cell)

    def _bucket(self, owner: str, field: str, keep: int, cell: _Cell) -> None:
        source, bucket = self._source, _BUCKETS[field]
        source.add(f"series = {owner}.{field}")
        source.add("if series is None:", f"    {owner}.{field} = Series([shared({bucket})], [{cell.text}])")
        with source.block(f"elif series.at[-1] == {bucket}:"):
            self._join("series.cells[-1]", cell)
        source.add("else:", f"    put(series, {bucket}, {keep}, {cell.text}, {cell.add})")

    def _join(self, place: str, cell: _Cell) -> None:
        kind, text, add = cell
        if kind is COUNT or kind is SUM:
            self._source.add(f"{place} += {text}")
        elif kind.name in _EXTREME:
            self._source.add(f"if {text} {_EXTREME[kind.name]} {place}:", f"    {place} = {text}")
        else:
            self._source.add(f"{place} = {add}({place}, {text})")

    def _value(self, rule: Aggregate) -> tuple[str, str]:
        """Returns (condition under which there is a value, "" for always; expression of the value, "" for none)."""
        if rule.kind.takes == "nothing":
            return "", ""
        if rule.field == AMOUNT and rule.kind.takes in {"number", "money"}:
            return "currency", "touch.amount_minor"
        if rule.kind.takes == "scalar":
            known = {"channel": self._channel, "type": self._kind}
            if rule.field in known:
                return "", repr(msgspec.json.encode(known[rule.field]).decode())
            if rule.field == "timestamp_ms":
                return "", "str(at_ms)"
            root, _, name = rule.field.partition(".")
            if root in OBJECTS and "." not in name:
                text = self._text_of(rule.field, f"touch.{root}.get({name!r})")
                return f"{text} is not None", text
        return "value is not None", f"{self._source.refer('extract', rule.extract)}(touch)"

    def _text_of(self, field: str, read: str) -> str:
        """Returns the variable that holds a field's value as JSON text, or None if it is no scalar."""
        text = self._texts.get(field)
        if text is None:
            text = self._texts[field] = f"text_{len(self._texts)}"
            self._source.add(f"value = {read}", f"{text} = json(value).decode() if type(value) in scalars else None")
        return text
