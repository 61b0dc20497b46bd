"""Values of fields as text in one form, and as the JSON values that a CRM takes and returns.

The ledger holds hashes of values. So a value that was written and one that was read have to be equal as text.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors.crm.values import number_text

TEXT, NUMBER, DATETIME, BOOLEAN = "string", "number", "datetime", "boolean"
_BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "false": False}


def canonical(text: str, kind: str) -> str:
    """Returns a value in the one form of its kind; a value that is not of its kind is returned as it is.

    >>> canonical("72.50", NUMBER), canonical("2026-11-30T17:05:00.250+0100", DATETIME)
    ('72.5', '2026-11-30T16:05:00Z')
    """
    try:
        if kind == NUMBER:
            return number_text(float(text))
        if kind == DATETIME:
            at = datetime.fromisoformat(text)
            return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at.tzinfo else text
    except ValueError:
        pass
    return text.lower() if kind == BOOLEAN else text


def text_of(value: Any, kind: str) -> str | None:
    """Returns a value that a CRM returned, as text; None for an empty one."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):  # a reference to another object
        return str(value.get("id") or "") or None
    return canonical(str(value), kind)


def json_value(text: str, kind: str) -> Any:
    """Returns the JSON value of a text, which a number or a boolean is in most CRMs. An empty text is no value."""
    if not text:
        return None
    if kind == BOOLEAN:
        return _BOOLEANS.get(text, text)
    if kind != NUMBER:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
