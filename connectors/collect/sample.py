"""A share of a source's visitors, chosen by a hash, so that a visitor's events are kept or dropped together.

>>> half = Sample(0.5)
>>> [half.keeps({"anonymousId": name}) for name in ("a", "b", "c", "a")]
[True, False, True, True]
"""

from hashlib import blake2b
from typing import Final

from connectors.collect.dialects.parsed import Document

_BYTES: Final = 8
_IDS: Final = ("anonymousId", "userId")


class Sample:
    """Decides by the anonymous id, else the user id. A document with neither is kept: nothing else is a visitor."""

    def __init__(self, share: float) -> None:
        """``share`` is above 0 and at most 1."""
        self._below = int(share * (1 << 8 * _BYTES))
        self.keeps_all = share >= 1

    def keeps(self, document: Document) -> bool:
        """Returns whether the event of a document is kept."""
        if self.keeps_all:
            return True
        visitor = next((document[name] for name in _IDS if document.get(name)), None)
        if visitor is None:
            return True
        digest = blake2b(str(visitor).encode(errors="replace"), digest_size=_BYTES).digest()
        return int.from_bytes(digest, "big") < self._below
