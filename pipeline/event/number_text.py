"""Numbers in text as people and programs write them: read exactly, and refused where they are ambiguous.

>>> read_number("1.299,00"), read_number("1,299.00"), read_number("19,99"), read_number("1,299")
(Decimal('1299.00'), Decimal('1299.00'), Decimal('19.99'), None)
"""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

MAX_CHARS: Final = 40
_PLAIN: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SPACES: Final = "\\s'\u2019\u00a0\u202f"
_GROUPED: Final = re.compile(
    rf"(?P<sign>[+-]?)(?P<whole>[0-9]{{1,3}}(?P<group>[.,{_SPACES}])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*)"
    r"(?:(?P<point>[.,])(?P<rest>[0-9]+))?"
)
_INDIAN: Final = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})(?:\.(?P<rest>[0-9]+))?")
_COMMA: Final = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]+),(?P<rest>[0-9]+)")
_GROUP_DIGITS: Final = 3


@lru_cache(maxsize=1 << 14)
def read_number(text: str) -> Decimal | None:
    """Returns the number of a text; None if it is not a number or is ambiguous.

    A single dot is the decimal sign, as in JSON. A single comma is the decimal sign too, unless it may be a thousands
    separator: ``1,299`` is ambiguous. Dots, commas, blanks and apostrophes between groups of three digits are thousands
    separators where no other reading is possible.
    """
    text = text.strip()
    if len(text) > MAX_CHARS:
        return None
    if _PLAIN.fullmatch(text):
        return _decimal(text)
    if grouped := _GROUPED.fullmatch(text):
        return _grouped(grouped)
    if match := _INDIAN.fullmatch(text):
        return _decimal(f"{match['sign']}{match['whole'].replace(',', '')}.{match['rest'] or 0}")
    if match := _COMMA.fullmatch(text):
        return _decimal(f"{match['sign']}{match['whole']}.{match['rest']}")
    return None


def number_of(value: Any) -> int | float | None:
    """Returns a JSON value as a number, parsing text; None for all other values, including true and false."""
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is not str:
        return None
    result = read_number(value)
    if result is None:
        return None
    whole = result.adjusted() < MAX_CHARS and result == result.to_integral_value()
    return int(result) if whole else float(result)


def read_with(text: str, point: str) -> Decimal | None:
    """Returns the number of a text whose decimal sign is ``point``, a dot or a comma; None if it is not a number."""
    group = "," if point == "." else "."
    sign_and_digits, _, rest = text.strip().partition(point)
    groups = re.split(rf"[{re.escape(group)}{_SPACES}]", sign_and_digits)
    if len(groups) > 1 and not all(len(part) == _GROUP_DIGITS for part in groups[1:]):
        return None
    plain = f"{''.join(groups)}.{rest}" if rest else "".join(groups)
    return _decimal(plain) if _PLAIN.fullmatch(plain) else None


def _grouped(result: re.Match[str]) -> Decimal | None:
    group, point, rest = result["group"], result["point"], result["rest"]
    whole = result["whole"].replace(group, "")
    if point == group:
        return None
    once = result["whole"].count(group) == 1
    if group == "," and point is None and once:
        return _decimal(f"{result['sign']}0.{result['whole'][2:]}") if result["whole"].startswith("0,") else None
    return _decimal(f"{result['sign']}{whole}.{rest or 0}")


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
