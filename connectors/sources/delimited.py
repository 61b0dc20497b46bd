"""CSV and other delimited text: one event per row, by a mapping."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec

from connectors.sources.lines import MAX_LINE_BYTES, BrokenStreamError, FileSource, Line, lines
from connectors.sources.mapping import Mapping
from connectors.sources.record import Payload, Position, Record
from pipeline.errors import OperatorError
from pipeline.event.reason import Reason
from pipeline.event.result import Rejected

_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
MAX_ROW_LINES = 200
"""Lines that a quoted cell may span. A quote that is still open after them counts as a stray quote."""


class MissingColumnsError(OperatorError):
    """The mapping names columns the file does not have. Operator action: correct the mapping's column names."""


class SeparatorLineError(OperatorError):
    """The table begins with a line that names its delimiter to Excel. Operator action: follow the message."""


class Row(msgspec.Struct, gc=False):
    """The lines of one row, and its cells or the reason for its rejection."""

    lines: list[Line]
    cells: list[str] | Rejected


class CsvSource(FileSource):
    """Reads the rows of one file. A stray quote loses only its line, not the rest of the file."""

    def __init__(self, path: Path, mapping: Mapping) -> None:
        self._path = path
        self._mapping = mapping
        super().__init__(path)

    def records(self, start: Position) -> Iterator[Record]:
        """Every row after ``start``; the header line is never one.

        Raises:
            MissingColumnsError: the header (or ``names``) lacks a column the mapping reads.
        """
        after = start
        try:
            header = self._header()
            if start.offset < header.offset:
                after = header
            for row in rows(lines(self._opened.stream, after.offset), self._mapping.delimiter):
                number, raw = after.number + 1, b"\n".join(line.raw for line in row.lines)
                after = Position(after.number + len(row.lines), row.lines[-1].end)
                if raw.strip():
                    yield Record(number, raw, self._payload(row.cells), after)
        except BrokenStreamError as broken:
            damage = Rejected(Reason.UNDECODABLE, str(broken))
            yield Record(after.number + 1, b"", damage, Position(after.number + 1, after.offset))
        finally:
            self._opened.close()

    def _header(self) -> Position:
        """Reads the column names. Returns the position of the first row."""
        names, after = self._mapping.names, Position()
        if not names:
            first = next(rows(lines(self._opened.stream, 0), self._mapping.delimiter), None)
            names = first.cells if first and isinstance(first.cells, list) else []
            after = Position(len(first.lines), first.lines[-1].end) if first else after
        self._names = [name.strip() for name in names]
        if len(names) == 1 and (separator := _SEPARATOR_LINE.fullmatch(names[0])):
            message = (
                f"{self._path}: the first line is Excel's {separator[0]!r}: delete it, "
                f"and write delimiter: {separator[1]!r} in the mapping"
            )
            raise SeparatorLineError(message)
        if missing := sorted(self._mapping.wanted() - set(self._names)):
            message = f"{self._path}: no column {', '.join(missing)}; the file has {', '.join(self._names) or 'none'}"
            raise MissingColumnsError(message)
        return after

    def _payload(self, cells: list[str] | Rejected) -> Payload | Rejected:
        if isinstance(cells, Rejected):
            return cells
        if len(cells) != len(self._names):
            return Rejected(Reason.INVALID_FIELD, f"{len(cells)} cells where the header has {len(self._names)}")
        return self._mapping.payload(dict(zip(self._names, cells, strict=True)))


class _Feed:
    """Lines that can be given back. Keeps damage until every line before it has been used."""

    def __init__(self, source: Iterator[Line]) -> None:
        self._source = source
        self._back: deque[Line] = deque()
        self.damage: BrokenStreamError | None = None

    def take(self) -> Line | None:
        if self._back:
            return self._back.popleft()
        try:
            return None if self.damage else next(self._source, None)
        except BrokenStreamError as damage:
            self.damage = damage
            return None

    def give_back(self, lines_: list[Line]) -> None:
        self._back.extendleft(reversed(lines_))


def rows(source: Iterator[Line], delimiter: str) -> Iterator[Row]:
    """Yields rows of one or more lines. Each line is in exactly one row, in order.

    Raises:
        BrokenStreamError: The file is damaged; every row before the damage was yielded.
    """
    feed = _Feed(source)
    while line := feed.take():
        taken, row = [line], _row(line, delimiter)
        while row is None and _may_grow(taken) and (more := feed.take()):
            taken.append(more)
            row = _joined(taken, delimiter)
        if row is None or (isinstance(row, Rejected) and len(taken) > 1):
            feed.give_back(taken[1:])
            taken, row = taken[:1], Rejected(Reason.UNDECODABLE, "a quote is opened and never closed")
        yield Row(taken, row)
    if feed.damage:
        raise feed.damage


def _may_grow(taken: list[Line]) -> bool:
    return len(taken) <= MAX_ROW_LINES and sum(len(line.raw) for line in taken) <= MAX_LINE_BYTES


def _row(line: Line, delimiter: str) -> list[str] | Rejected | None:
    if line.cut:
        return Rejected(Reason.TOO_LARGE, f"the line is longer than {MAX_LINE_BYTES} bytes")
    return _joined([line], delimiter)


def _joined(taken: list[Line], delimiter: str) -> list[str] | Rejected | None:
    """Returns the cells of the lines as one row, or None while a quote is open."""
    try:
        text = "\n".join(line.raw.decode() for line in taken)
    except UnicodeDecodeError as error:
        return Rejected(Reason.UNDECODABLE, f"not UTF-8 at byte {error.start} of the row")
    if delimiter == "whitespace":
        return text.split()
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
        return Rejected(Reason.UNDECODABLE, f"not CSV: {error}")
