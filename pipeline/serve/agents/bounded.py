"""Answers of bounded size: an agent pays for each character, so long lists are cut; their full length is stated.

>>> bounded({"links": [1, 2, 3, 4, 5, 6, 7, 8, 9], "id": "p"}, max_bytes=32)
{'links': [1, 2, 3, 4], 'id': 'p', 'cut': {'links': 9}}
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

MAX_BYTES: Final = 16_000
MAX_ITEMS: Final = 64
MAX_TEXT: Final = 500
"""Characters of a text; longer ones end with an ellipsis."""


def bounded(value: Mapping[str, Any], *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Returns a JSON object of at most about ``max_bytes``.

    Its field ``cut`` names the lists and objects that were cut, with their full lengths; without a cut it is absent.
    """
    items = MAX_ITEMS
    while True:
        cut: dict[str, int] = {}
        result = {name: _cut(part, items, name, cut) for name, part in value.items()}
        if items == 1 or len(msgspec.json.encode(result)) <= max_bytes:
            return {**result, "cut": cut} if cut else result
        items //= 2


def _cut(value: Any, items: int, path: str, cut: dict[str, int]) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, Mapping):
        if len(value) > items:
            cut[path] = len(value)
        return {name: _cut(part, items, f"{path}.{name}", cut) for name, part in list(value.items())[:items]}
    if isinstance(value, list | tuple):
        if len(value) > items:
            cut[path] = len(value)
        return [_cut(part, items, path, cut) for part in value[:items]]
    return value
