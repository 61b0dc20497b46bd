"""Integers of more than 64 bits: stored as decimal text, because msgpack and most databases do not support them."""

from typing import Any, Final

MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63 - 1


def write_wide_integers(value: Any) -> None:
    """Replaces integers of more than 64 bits by text in a JSON object or array, at any depth, in place."""
    for key, item in value.items() if type(value) is dict else enumerate(value):
        kind = type(item)
        if kind is int and not MIN_INT <= item <= MAX_INT:
            value[key] = str(item)
        elif kind is dict or kind is list:
            write_wide_integers(item)
