"""Pages of long lists, with cursors that new rows do not shift."""

from typing import Any

import msgspec

from pipeline.errors import MisuseError


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


def time_and_id(cursor: str) -> tuple[int, str]:
    """Returns the sort keys in a cursor of a time and an id.

    Raises:
        CursorError: the text is no such cursor.
    """
    time_text, separator, name = cursor.partition("~")
    if not (separator and name and time_text.isascii() and time_text.isdigit() and len(time_text) < 19):
        message = f"{cursor[:100]!r} is not a cursor of this list: send the one a page ended with"
        raise CursorError(message)
    return int(time_text), name
