"""Reads a YAML file as plain data with the line of every value.

Only the plain core of YAML is read: mappings with text keys, lists, texts, decimal numbers, true and false, null. The
surprising conversions of YAML 1.1 do not apply: ``no`` (false), ``22:00`` (1320), ``010`` (8) and dates stay texts.
Duplicate keys, merge keys (``<<``) and custom tags are rejected, because each can hide a wrong rule. Anchors
(``&name``) and aliases (``*name``) share a value, for example a list of blocked values between types.
"""

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec
import yaml

from pipeline.rules.problem import Problem

Scalar: TypeAlias = str | int | float | bool | None


MAX_VALUES: Final = 50_000
"""Limit of values with aliases expanded: nested aliases can turn ten lines into billions of values."""
_TAG: Final = "tag:yaml.org,2002:"
_TAGS: Final = frozenset({"str", "int", "float", "bool", "null", "timestamp", "merge", "value"})
_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
_FLOAT: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class Node(msgspec.Struct, frozen=True):
    """A value of the document: a scalar, a list or a mapping."""

    line: int
    column: int
    raw: str
    """The text of a scalar; empty for lists and mappings."""
    value: Scalar | list["Node"] | dict[str, "Entry"]
    source: str = ""
    """A scalar as written in the file, with quotes, escapes and line breaks."""


class Entry(msgspec.Struct, frozen=True):
    """A key of a mapping with its position, and the value under it."""

    line: int
    column: int
    node: Node


class _Refused(Exception):  # noqa: N818 - a signal inside this module, never raised to callers
    def __init__(self, mark: yaml.Mark | None, message: str, instead: str = "") -> None:
        self.mark, self.message, self.instead = mark, message, instead


def read_document(file: str, text: str, problems: list[Problem]) -> Node | None:
    """Returns the root of the document; None if it cannot be read, with the reason added to ``problems``.

    An empty file is an empty mapping.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return _YamlReader(file, text, problems).node(root) if root else Node(1, 1, "", {})
    except _Refused as error:
        problems.append(_problem(file, error.mark, error.message, error.instead))
    except yaml.MarkedYAMLError as error:
        message = f"not YAML: {error.problem}"
        if error.context:
            message += f" ({error.context})"
        problems.append(_problem(file, error.problem_mark or error.context_mark, message, _yaml_advice(error)))
    except RecursionError:
        problems.append(Problem(file, 0, 0, "not rules: nested too deeply to be read"))
    except yaml.YAMLError as error:
        problems.append(Problem(file, 0, 0, f"not YAML: {error}"))
    return None


class _YamlReader:
    def __init__(self, file: str, text: str, problems: list[Problem]) -> None:
        self._file, self._text = file, text
        self._problems = problems
        self._left = MAX_VALUES

    def node(self, yaml_node: yaml.Node) -> Node:
        self._left -= 1
        if not self._left:
            raise _Refused(
                yaml_node.start_mark, f"more than {MAX_VALUES} values, aliases written out", "split the rules"
            )
        line, column = yaml_node.start_mark.line + 1, yaml_node.start_mark.column + 1
        if isinstance(yaml_node, yaml.MappingNode):
            return Node(line, column, "", dict(self._entries(yaml_node)))
        if isinstance(yaml_node, yaml.SequenceNode):
            return Node(line, column, "", [self.node(child) for child in yaml_node.value])
        if not isinstance(yaml_node, yaml.ScalarNode):
            raise _Refused(yaml_node.start_mark, "this is not a value", "write a text, a number or a list")
        source = self._text[yaml_node.start_mark.index : yaml_node.end_mark.index]
        return Node(line, column, str(yaml_node.value), self._scalar(yaml_node), source)

    def _entries(self, yaml_node: yaml.MappingNode) -> Iterator[tuple[str, Entry]]:
        seen: dict[str, int] = {}
        for key_node, value_node in yaml_node.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.value == "<<":
                raise _Refused(key_node.start_mark, "a key must be a name", "write name: value")
            key = str(key_node.value)
            if key in seen:
                message = f"{key!r} is given twice, first on line {seen[key]}"
                self._problems.append(Problem(self._file, line, column, message, "keep one of them"))
                continue
            seen[key] = line
            yield key, Entry(line, column, self.node(value_node))

    def _scalar(self, yaml_node: yaml.ScalarNode) -> Scalar:
        tag, raw = yaml_node.tag.removeprefix(_TAG), str(yaml_node.value)
        if tag not in _TAGS:
            raise _Refused(
                yaml_node.start_mark, f"the tag {yaml_node.tag} is not read here", "write the value without it"
            )
        if yaml_node.style is not None:
            return raw
        if tag == "null":
            return None
        if tag == "bool" and raw.lower() in {"true", "false"}:
            return raw.lower() == "true"
        digits = raw.replace("_", "")
        if tag == "int" and _INT.fullmatch(digits):
            return int(digits)
        if tag == "float" and _FLOAT.fullmatch(digits):
            return float(digits)
        return raw


def _problem(file: str, mark: yaml.Mark | None, message: str, instead: str = "") -> Problem:
    return Problem(file, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, message, instead)


def _yaml_advice(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem)
    if "\\t" in problem or "'\t'" in problem:
        return "indent with blanks, not with tabs"
    if "mapping values are not allowed" in problem:
        return 'put a text that contains ": " in quotes, and check the indentation'
    if "expected <block end>" in problem:
        return "indent entries of one list or mapping by the same number of blanks"
    return "check quotes, brackets and indentation"
