"""Edits of ``sources.yaml`` as text, so that its comments and its order stay.

>>> print(with_source("", SourceText("shop", "web", "sha256:" + 64 * "0")), end="")
sources:
  - name: shop
    channel: web
    write_keys:
      - sha256:0000000000000000000000000000000000000000000000000000000000000000
"""

import re
from typing import Final, NamedTuple

from pipeline.errors import MisuseError
from pipeline.rules.document import Node, read_document
from pipeline.rules.problem import Problem, RulesError
from pipeline.rules.shape import Shape, type_of_file
from pipeline.rules.sources import SourceRules

FILE: Final = "sources.yaml"
_EMPTY: Final = re.compile(r"^sources:\s*\[\s*\]\s*(#.*)?$", re.MULTILINE)
_DEFAULT_INDENT: Final = 2


class SourceText(NamedTuple):
    """What a new source is written with."""

    name: str
    channel: str
    key_hash: str
    origins: tuple[str, ...] = ()
    tenant: str = "default"


class UneditableError(MisuseError):
    """The file cannot be edited without a risk to its content.

    Operator action: edit the file by hand as the message states.
    """


def with_source(text: str, source: SourceText) -> str:
    """Returns the file with a further source at its end.

    Raises:
        RulesError: the file has mistakes, before or after.
        UneditableError: its list is written in brackets.
    """
    root = _checked(text)
    listed = _sources(root)
    if source.name in {_name(item) for item in listed}:
        message = f"a source {source.name} is there already; see: stitchline sources ls"
        raise UneditableError(message)
    indent = listed[0].column - 1 - 2 if listed else _DEFAULT_INDENT
    if listed and text.splitlines()[listed[0].line - 1][indent : indent + 2] != "- ":
        message = f"{FILE}: the list of sources is in brackets; write it as lines that begin with -"
        raise UneditableError(message)
    block = "".join(" " * indent + line + "\n" for line in _block(source))
    text = _EMPTY.sub("sources:", text)
    if text and not text.endswith("\n"):
        text += "\n"
    if "sources" not in _entries(root):
        text += "sources:\n"
    result = text + block
    _checked(result)
    return result


def with_key(text: str, name: str, key_hash: str, *, retire: bool) -> str:
    """Returns the file with a further write key of a source, the first in its list; ``retire`` removes the others.

    Raises:
        RulesError: the file has mistakes, before or after.
        UneditableError: there is no such source, or its keys are written in brackets.
    """
    root = _checked(text)
    item = next((item for item in _sources(root) if _name(item) == name), None)
    if item is None:
        message = f"there is no source {name}; see: stitchline sources ls"
        raise UneditableError(message)
    lines = text.splitlines(keepends=True)
    keys = _entries(item).get("write_keys")
    if keys is None or not isinstance(keys.value, list) or not keys.value:
        if keys is not None:
            message = f"{FILE}:{keys.line}: write_keys has no lines; write under it: - {key_hash}"
            raise UneditableError(message)
        at, indent = item.line, item.column - 1
        lines[at:at] = [f"{' ' * indent}write_keys:\n", f"{' ' * indent}  - {key_hash}\n"]
    else:
        places = [(key.line - 1, key.column - 1) for key in keys.value]
        if any(lines[line][:column].strip() != "-" for line, column in places):
            message = f"{FILE}:{keys.line}: write_keys is in brackets; write each key in a line that begins with -"
            raise UneditableError(message)
        first, column = places[0]
        for line, _ in reversed(places) if retire else ():
            del lines[line]
        lines.insert(first, f"{_indent(column)}- {key_hash}\n")
    result = "".join(lines)
    _checked(result)
    return result


def _indent(column: int) -> str:
    """Returns the blanks before the dash of a list's item whose text begins at a column, from 0."""
    return " " * max(0, column - 2)


def _block(source: SourceText) -> list[str]:
    lines = [f"- name: {source.name}"]
    if source.tenant != "default":
        lines.append(f"  tenant: {source.tenant}")
    lines += [f"  channel: {source.channel}", "  write_keys:", f"    - {source.key_hash}"]
    if source.origins:
        lines.append("  origins: [" + ", ".join(f'"{origin}"' for origin in source.origins) + "]")
    return lines


def _checked(text: str) -> Node:
    """Returns the document. Raises RulesError if it has mistakes."""
    problems: list[Problem] = []
    root = read_document(FILE, text, problems)
    if root is not None:
        Shape(FILE, problems).read(root, type_of_file(SourceRules))
    if problems or root is None:
        raise RulesError(problems)
    return root


def _entries(node: Node) -> dict[str, Node]:
    return {key: entry.node for key, entry in node.value.items()} if isinstance(node.value, dict) else {}


def _sources(root: Node) -> list[Node]:
    listed = _entries(root).get("sources")
    return listed.value if listed is not None and isinstance(listed.value, list) else []


def _name(item: Node) -> str:
    name = _entries(item).get("name")
    return name.raw if name is not None else ""
