"""The result of one comparison: how much was compared, how many differences there are, and the first of them."""

from collections.abc import Iterable
from typing import Final

import msgspec

MAX_SHOWN: Final = 12


class Comparison(msgspec.Struct, frozen=True):
    """One comparison."""

    name: str
    compared: int
    """Records, rows or profiles."""
    differences: int
    shown: list[str]
    """The first differences, readable."""


def comparison(name: str, compared: int, differences: Iterable[str]) -> Comparison:
    """Counts the differences and keeps the first."""
    shown: list[str] = []
    count = 0
    for count, text in enumerate(differences, start=1):
        if count <= MAX_SHOWN:
            shown.append(text)
    return Comparison(name, compared, count, shown)
