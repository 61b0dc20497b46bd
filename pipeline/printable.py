r"""Text from outside as a terminal may show it: what would steer the terminal is written as an escape sequence.

Customers choose names, page titles and event fields. Printed raw, a control character in one of them moves the cursor,
a line feed fakes a row, and a bidirectional override turns the text around it. All that is printed passes through here.
"""

import json
import unicodedata
from typing import Any, Final

_JOINERS: Final = frozenset("\u200c\u200d")
"""Format characters that names in Persian and emoji are written with. They change nothing outside their word."""


def printable(text: str) -> str:
    r"""The text with everything but letters, marks, symbols and spaces escaped.

    >>> printable("Ada\x1b[2J\nLovelace")
    'Ada\\x1b[2J\\nLovelace'
    """
    if text.isprintable():
        return text
    return "".join(char if _is_shown(char) else char.encode("unicode_escape").decode() for char in text)


def printable_lines(text: str) -> str:
    """The same with the line feeds kept: for text whose lines are ours."""
    return "\n".join(map(printable, text.split("\n")))


def printable_values(document: Any) -> Any:
    """A document of mappings, lists and strings with every key and string escaped."""
    if isinstance(document, str):
        return printable(document)
    if isinstance(document, dict):
        return {printable_values(key): printable_values(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [printable_values(item) for item in document]
    return document


def printable_json(text: str) -> str:
    r"""A JSON text with the same characters as escapes of JSON: it decodes to the same document.

    >>> printable_json('"\u202e"')
    '"\\u202e"'
    """
    if text.isprintable():
        return text
    return "".join(char if char == "\n" or _is_shown(char) else json.dumps(char)[1:-1] for char in text)


def _is_shown(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"
