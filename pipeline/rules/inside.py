"""Maps a position in a text value to its line and column in the YAML file.

Reading YAML changes a text: it removes quotes and indentation, resolves escapes and joins lines. It never adds or
removes characters that are not white space, so these are counted.
"""

import re
from collections.abc import Iterator
from typing import Final

from pipeline.rules.document import Node

_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*")
"""An anchor and a tag, which may precede a text and are not part of it."""
_BLOCK: Final = re.compile(r"[|>][^\n]*\n")
_ESCAPE: Final = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.|\n)")
_BLANK_ESCAPES: Final = frozenset("nrt \n_NLPev0ab")
"""Letters that stand for white space or nothing after a backslash. Conditions do not use the other escapes of YAML."""


def place_inside(node: Node, position: int) -> tuple[int, int]:
    """Returns (line, column), from 1, of the character at ``position`` of a text; of the text's end if it is beyond."""
    wanted = sum(not sign.isspace() for sign in str(node.value)[:position])
    at_end = not str(node.value)[position:].strip()
    behind = 0
    for number, (start, end) in enumerate(_characters(node.source)):
        if number == wanted and not at_end:
            return _place(node, start)
        behind = end
    return _place(node, behind)


def _characters(source: str) -> Iterator[tuple[int, int]]:
    """Yields (start, end) in the source of each character of the value that is not white space."""
    match = _PROPERTIES.match(source)
    at = match.end() if match else 0
    quote, end = source[at : at + 1], len(source)
    if quote in {'"', "'"}:
        at, end = at + 1, end - 1
    elif block := _BLOCK.match(source, at):
        at = block.end()
    while at < end:
        length, is_blank = _unit(source, at, quote)
        if not is_blank:
            yield at, at + length
        at += length


def _unit(source: str, at: int, quote: str) -> tuple[int, bool]:
    """Returns (source characters per character of the value, whether that character is white space or nothing)."""
    if quote == '"' and (escape := _ESCAPE.match(source, at)):
        return len(escape[0]), escape[0][1] in _BLANK_ESCAPES
    return (2 if quote == "'" and source.startswith("''", at) else 1), source[at].isspace()


def _place(node: Node, index: int) -> tuple[int, int]:
    before = node.source[:index]
    line = before.count("\n")
    column = len(before) - before.rfind("\n") if line else node.column + len(before)
    return node.line + line, column
