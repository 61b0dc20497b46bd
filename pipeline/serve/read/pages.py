"""Pages of long lists, with cursors that new rows do not shift."""

from typing import Any, Final

import msgspec

from pipeline.errors import MisuseError

MAX_DIGITS: Final = 19
TEXT: Final = "text"
"""First part of the cursor of a list whose sort key may be any text."""
NOT_A_CURSOR: Final = "this is not a cursor of the list: send the one that a page ended with, unchanged"


class CursorError(MisuseError, ValueError):
    """The text is not a cursor of this list. Operator action: use the cursor of a page, unchanged."""


class Page(msgspec.Struct, frozen=True):
    """One page of a list."""

    items: list[dict[str, Any]]
    next: str = ""
    """The cursor of the next page; "" on the last page."""


def cursor_of(*parts: int | str) -> str:
    """Returns the cursor behind a row whose sort keys are ``parts``."""
    return "~".join(str(part) for part in parts)


def cursor_behind(text: str) -> str:
    """Returns the cursor behind a row whose sort key is a text."""
    return cursor_of(TEXT, text)


def text_in(cursor: str) -> str:
    """Returns the sort key in a cursor of a text.

    Raises:
        CursorError: the text is no such cursor.
    """
    mark, separator, text = cursor.partition("~")
    if mark != TEXT or not (separator and text):
        raise CursorError(NOT_A_CURSOR)
    return text


def time_and_id(cursor: str) -> tuple[int, str]:
    """Returns the sort keys in a cursor of a time and an id.

    Raises:
        CursorError: the text is no such cursor.
    """
    number, separator, name = cursor.partition("~")
    if not (separator and name):
        raise CursorError(NOT_A_CURSOR)
    return numbers_in(number, 1)[0], name


def numbers_in(cursor: str, count: int) -> list[int]:
    """Returns the sort keys in a cursor of ``count`` numbers.

    Raises:
        CursorError: the text is no such cursor.
    """
    parts = cursor.split("~")
    if len(parts) != count or not all(part.isascii() and part.isdigit() and len(part) < MAX_DIGITS for part in parts):
        raise CursorError(NOT_A_CURSOR)
    return [int(part) for part in parts]
