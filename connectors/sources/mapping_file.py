"""Reads and checks a mapping file. Reports every mistake with its line and a correction."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.sources.mapping import Mapping, MappingError, Target
from pipeline.event.envelope import READ
from pipeline.event.event_time import FORMATS
from pipeline.event.rules import DEFAULT_TYPES, IntakeRules
from pipeline.rules.document import read_document
from pipeline.rules.files import RulesFile
from pipeline.rules.problem import Problem, did_you_mean
from pipeline.rules.shape import Shape, type_of_file

MAPPING_FILE: Final = RulesFile("mapping.yaml", Mapping, "The event field that each column of a table becomes")
MONEY: Final = "money"
TYPES: Final = tuple(declared.name for declared in DEFAULT_TYPES)
_OBJECTS: Final = frozenset({"properties", "context", "traits", "identifiers"})


def load_mapping(
    path: Path,
    types: Iterable[str] = TYPES,
    amount_fields: tuple[str, ...] = IntakeRules().amount_fields,
) -> Mapping:
    """Returns the mapping of a file.

    ``types`` are the identifier types that the rules declare, ``amount_fields`` the properties that hold money.

    Raises:
        MappingError: The file has mistakes. The message lists each with file, line, column and a correction.
        OSError: The file cannot be read.
    """
    problems: list[Problem] = []
    shape = Shape(str(path), problems)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problems.append(Problem(str(path), 1, 1, "not UTF-8 text", "save the file as UTF-8"))
        raise _mistakes(problems) from None
    root = read_document(str(path), text, problems)
    data = shape.read(root, type_of_file(Mapping)) if root else {}
    if problems:
        raise _mistakes(problems)
    mapping = msgspec.convert(data, Mapping)
    _check_time(mapping, shape)
    _check_identifiers(mapping, shape, frozenset(types))
    _check_fields(mapping, shape, amount_fields)
    if mapping.delimiter != "whitespace" and len(mapping.delimiter) != 1:
        shape.add(("delimiter",), "delimiter is neither a character nor a word", "write one character, or whitespace")
    if problems:
        raise _mistakes(problems)
    return mapping.with_money(amount_fields)


def _mistakes(problems: list[Problem]) -> MappingError:
    return MappingError("\n".join(map(str, sorted(problems))))


def _check_time(mapping: Mapping, shape: Shape) -> None:
    try:
        ZoneInfo(mapping.timestamp.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        instead = "write an IANA name such as Europe/Berlin"
        shape.add(("timestamp", "timezone"), f"unknown time zone {mapping.timestamp.timezone!r}", instead)
    form = mapping.timestamp.format
    if form not in FORMATS and "%" not in form:
        instead = f"write {', '.join(FORMATS)}, or a pattern such as %d.%m.%Y %H:%M"
        shape.add(("timestamp", "format"), f"unknown format {form!r}", instead)


def _check_identifiers(mapping: Mapping, shape: Shape, types: frozenset[str]) -> None:
    for kind, columns in mapping.identifiers.items():
        if isinstance(columns, list) and len(set(columns)) < max(2, len(columns)):
            instead = "write its name without brackets" if len(columns) == 1 else "list each column once"
            shape.add(("identifiers", kind), f"{kind} of several columns needs at least two different ones", instead)
        if kind not in types:
            known = did_you_mean(kind, types)
            shape.add(("identifiers", kind), f"identifiers.yaml declares no type {kind!r}", known)


def _check_fields(mapping: Mapping, shape: Shape, amount_fields: tuple[str, ...]) -> None:
    money = [f"properties.{name}" for name in amount_fields]
    for column, target in mapping.columns.items():
        to, kind = (target.to, target.kind) if isinstance(target, Target) else (target, "text")
        place = ("columns", column)
        if kind == MONEY and to not in money:
            shape.add(place, f"{to} is no money field", f"write one of {', '.join(money)}, or add it to amount_fields")
        _check_path(shape, place, to)
    for to in mapping.constants:
        _check_path(shape, ("constants", to), to)


def _check_path(shape: Shape, place: tuple[str, ...], to: str) -> None:
    root, _, rest = to.partition(".")
    if root not in READ:
        shape.add(place, f"an event has no field {root!r}", did_you_mean(root, READ))
    elif bool(rest) != (root in _OBJECTS):
        instead = f"write {root}.NAME" if root in _OBJECTS else f"write {root}"
        shape.add(place, f"{to} is no place in an event", instead)
