"""Checks a document against its struct: reports every unknown, missing or mistyped value with its line.

msgspec stops at the first mistake and reports no lines, so this check runs before it. msgspec still builds the struct.
Errors of the struct's own ``__post_init__`` are reported at the field that their message names.

The type of a field defines how it is written: see :mod:`pipeline.event.form`. ``half_life_ms`` is written
``half_life: 7 d``.
"""

import operator
import re
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import inspect

from pipeline.event.duration import parse_duration
from pipeline.rules.document import Node
from pipeline.rules.forms import WrongTextError, plain, read_text
from pipeline.rules.inside import place_inside
from pipeline.rules.problem import Problem, did_you_mean
from pipeline.rules.words import (
    LISTS,
    choices,
    describe,
    found,
    is_duration,
    kind,
    quoting,
    wanted,
    written_name,
)

Path: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]

_INVALID: Final = object()
_AT_PATH: Final = re.compile(r" - at `[^`]*`$")
_ADVICE: Final = re.compile(r"[:;] (?=(?:write|give|add|choose|set|use|leave|put|make|keep|name)\b)")


class Shape:
    """Reads the nodes of one file as values of a type, and records the position of each path of the result."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.places: dict[Path, Place] = {}
        self._texts: dict[Path, Node] = {}

    def read(self, node: Node, expected: inspect.Type, path: Path = (), *, field: str = "") -> Any:
        """Returns plain data for ``msgspec.convert``, without the values for which a problem was added.

        ``field`` is for messages.
        """
        self.places.setdefault(path, (node.line, node.column))
        shape = plain(expected)
        if isinstance(shape, inspect.UnionType):
            return self._union(node, shape, path, field)
        if isinstance(shape, inspect.StructType):
            return self._struct(node, shape, path)
        if isinstance(shape, inspect.DictType):
            return self._dict(node, shape, path)
        if isinstance(shape, LISTS):
            return self._list(node, shape.item_type, path, field)
        if isinstance(shape, inspect.TupleType):
            return self._so_many(node, shape.item_types, path, field)
        if is_duration(expected) and isinstance(shape, inspect.IntType):
            return self._duration(node, shape)
        self._texts[path] = node
        return self._scalar(node, expected, field)

    def place(self, path: Path) -> Place:
        """Returns (line, column) of a path, or of its longest prefix that is written in the file."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (0, 0))

    def add(self, path: Path, message: str, instead: str = "", position: int | None = None) -> None:
        """Adds a problem at a path of the result; with ``position``, at that character of the text at the path."""
        node = self._texts.get(path)
        line, column = self.place(path) if node is None or position is None else place_inside(node, position)
        self.problems.append(Problem(self.file, line, column, message, instead))

    def _wrong(self, node: Node, message: str, instead: str = "", position: int | None = None) -> Any:
        line, column = (node.line, node.column) if position is None else place_inside(node, position)
        self.problems.append(Problem(self.file, line, column, message, instead))
        return _INVALID

    def _union(self, node: Node, expected: inspect.UnionType, path: Path, field: str) -> Any:
        if node.value is None and any(isinstance(option, inspect.NoneType) for option in expected.types):
            return None
        options = [option for option in expected.types if not isinstance(option, inspect.NoneType)]
        fitting = [option for option in options if kind(node.value) in wanted(option)]
        if fitting:
            return self.read(node, fitting[0], path, field=field)
        description = describe(options[0] if len(options) == 1 else inspect.UnionType(tuple(options)))
        return self._wrong(node, f"expected {description}, found {found(node)}")

    def _struct(self, node: Node, expected: inspect.StructType, path: Path) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(node, f"expected names with values, found {found(node)}", "write name: value")
        fields = {written_name(struct_field): struct_field for struct_field in expected.fields}
        before = len(self.problems)
        data: dict[str, Any] = {}
        for key, entry in node.value.items():
            field = fields.get(key)
            if field is None:
                advice = did_you_mean(key, fields)
                self.problems.append(Problem(self.file, entry.line, entry.column, f"unknown name {key!r}", advice))
                continue
            self.places[(*path, field.name)] = (entry.line, entry.column)
            value = self.read(entry.node, field.type, (*path, field.name), field=field.name)
            if value is not _INVALID:
                data[field.encode_name] = value
        for key, field in fields.items():
            if field.required and key not in node.value:
                self._wrong(node, f"{key!r} is missing", f"add {key}: with {describe(field.type)}")
        if len(self.problems) == before:
            self._build(data, expected, path)
        return data

    def _build(self, data: dict[str, Any], expected: inspect.StructType, path: Path) -> None:
        """Runs the struct's own checks. It builds one struct at a time, so one bad rule does not hide the next."""
        try:
            msgspec.convert(data, expected.cls)
        except msgspec.ValidationError as error:
            text = _AT_PATH.sub("", str(error))
            message, _, instead = _ADVICE.sub("\0", text, count=1).partition("\0")
            self.add(self._mentioned(text, expected, path), message, instead)

    def _mentioned(self, text: str, expected: inspect.StructType, path: Path) -> Path:
        """Returns the path of the first field that an error text names and the file contains; else of the struct."""
        at = {}
        for field in expected.fields:
            word = re.search(rf"\b{written_name(field)}\b", text)
            if word and (*path, field.name) in self.places:
                at[word.start()] = field.name
        return (*path, at[min(at)]) if at else path

    def _dict(self, node: Node, expected: inspect.DictType, path: Path) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(node, f"expected names with values, found {found(node)}", "write name: value")
        data = {}
        for key, entry in node.value.items():
            self.places[(*path, key)] = (entry.line, entry.column)
            data[key] = self.read(entry.node, expected.value_type, (*path, key))
        return data

    def _list(self, node: Node, item: inspect.Type, path: Path, field: str) -> Any:
        if not isinstance(node.value, list):
            instead = f"write [{node.raw}]" if node.raw else "start each with -"
            return self._wrong(node, f"expected a list, found {found(node)}", instead)
        values = [self.read(entry, item, (*path, index), field=field) for index, entry in enumerate(node.value)]
        self._same_names(values, path)
        return [entry for entry in values if entry is not _INVALID]

    def _so_many(self, node: Node, items: tuple[inspect.Type, ...], path: Path, field: str) -> Any:
        """Reads a list of fixed length. All its values have one type; rules files contain no other tuples."""
        if isinstance(node.value, list) and len(node.value) != len(items):
            return self._wrong(node, f"expected {len(items)} values, found {len(node.value)}")
        return self._list(node, items[0], path, field)

    def _same_names(self, values: list[Any], path: Path) -> None:
        first: dict[str, int] = {}
        for index, value in enumerate(values):
            name = value.get("name") if isinstance(value, dict) else None
            if name is None:
                continue
            if name in first:
                line, _ = self.place((*path, first[name], "name"))
                self.add((*path, index, "name"), f"{name!r} is there twice, first on line {line}", "rename one of them")
            first.setdefault(name, index)

    def _duration(self, node: Node, expected: inspect.IntType) -> Any:
        if node.value == 0 and not isinstance(node.value, bool) and (expected.ge in {None, 0}):
            return 0
        if not isinstance(node.value, str):
            units = " or ".join(f"{node.raw} {unit}" for unit in ("min", "h", "d"))
            instead = (
                f"write {units}" if kind(node.value) == "whole" and node.raw.isdigit() else "write 7 d, for example"
            )
            return self._wrong(node, f"expected a duration, found {found(node)}", instead)
        try:
            return parse_duration(node.value)
        except ValueError as error:
            return self._advised(node, str(error))

    def _scalar(self, node: Node, expected: inspect.Type, field: str) -> Any:
        if kind(node.value) not in wanted(expected):
            message = f"expected {describe(expected)}, found {found(node)}"
            return self._wrong(node, message, quoting(node, expected))
        plain_type = plain(expected)
        if isinstance(plain_type, inspect.LiteralType | inspect.EnumType):
            return self._choice(node, plain_type)
        if isinstance(plain_type, inspect.StrType):
            return self._text(node, expected, field)
        if isinstance(plain_type, inspect.IntType | inspect.FloatType) and isinstance(node.value, int | float):
            return self._number(node, node.value, plain_type)
        return node.value

    def _choice(self, node: Node, expected: inspect.LiteralType | inspect.EnumType) -> Any:
        values = choices(expected)
        if node.value in values:
            return node.value
        return self._wrong(node, f"unknown value {node.raw!r}", did_you_mean(node.raw, map(str, values)))

    def _text(self, node: Node, expected: inspect.Type, field: str) -> Any:
        try:
            return read_text(str(node.value), expected, field)
        except WrongTextError as error:
            return self._wrong(node, error.message, error.instead, error.position)

    def _number(self, node: Node, number: float, expected: inspect.IntType | inspect.FloatType) -> Any:
        for bound, broken, words in (
            (expected.ge, operator.lt, "at least"),
            (expected.gt, operator.le, "more than"),
            (expected.le, operator.gt, "at most"),
            (expected.lt, operator.ge, "less than"),
        ):
            if bound is not None and broken(number, bound):
                return self._wrong(node, f"{node.raw} is out of range", f"write a number of {words} {bound:g}")
        return number

    def _advised(self, node: Node, text: str) -> Any:
        message, _, instead = text.partition("; ")
        return self._wrong(node, message, instead)


def type_of_file(struct: type[msgspec.Struct]) -> inspect.Type:
    """Returns the type as which :meth:`Shape.read` reads a whole file."""
    return inspect.type_info(struct)
