r"""JSON as senders write it: read strictly, except that single values that cannot be represented are replaced.

>>> read_json(b'{"name": "half \\ud83d", "ratio": NaN}')
{'name': 'half \ufffd', 'ratio': None}
"""

import json
import math
import re
from typing import Any, Final

from msgspec import DecodeError
from msgspec.json import Decoder

_strict = Decoder().decode
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
REPLACEMENT: Final = "\ufffd"
"""Unicode's replacement character."""


def read_json(raw: bytes | str) -> Any:
    """Returns the value of a JSON text.

    Half of a surrogate pair becomes U+FFFD; NaN, Infinity and numbers beyond a double's range become null.

    Raises:
        msgspec.DecodeError: the text is not JSON.
        UnicodeDecodeError: the bytes are not UTF-8.
        RecursionError: the text is nested too deeply.
    """
    try:
        return _strict(raw)
    except DecodeError as error:
        try:
            result = json.loads(raw)
        except ValueError:
            raise error from None
        return _repaired(result)


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(REPLACEMENT, value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    return value
