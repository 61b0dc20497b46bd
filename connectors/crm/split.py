"""Finds the records that make a CRM refuse a whole batch, by halving it.

One such record among 100 costs at most 14 requests, and the 99 others are written.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

import msgspec

from connectors.crm.fault import Fault, StoppedError
from connectors.crm.sink import Pause

MAX_FAILURES: Final = 8
"""Server errors of single records, without one success, after which it is taken for an outage."""


class Written(msgspec.Struct, frozen=True):
    """The CRM wrote a record."""

    id: str
    properties: Mapping[str, str | None] = {}
    """The content of the object by the CRM's answer."""
    is_new: bool = False
    """Whether the CRM reports that it created the object just now."""


class Failed(msgspec.Struct, frozen=True):
    """The CRM did not write a record."""

    fault: Fault
    words: str
    """The CRM's own message."""
    existing_id: str = ""
    """Of a conflict: the id of the other record, if the CRM names it."""
    is_own: bool = False
    """Of a conflict: whether the other record has the same action id, so that it is this lead."""
    existing_type: str = ""
    """Of a conflict: the type of the other record; "" if it is the type that was to be written."""


Result: TypeAlias = Written | Failed
Item = TypeVar("Item")


class Batch(msgspec.Struct):
    """The answer to one batch request."""

    whole: Failed | None = None
    """The fault for which nothing was written."""
    results: Sequence[Result | None] = ()
    """In the order of the items; None for an item that the answer does not mention."""
    has_errors: bool = False
    """Whether the answer lists errors, so that items without a result are not merely missing."""


Once: TypeAlias = Callable[[Sequence[Item]], Batch]


class Splitter:
    """Writes items with as few requests as their faults allow."""

    def __init__(self) -> None:
        self._failures = 0

    def write(self, items: Sequence[Item], once: Once[Item], *, known_bad: bool = False) -> list[Result]:
        """Returns one result for each item, in order. ``known_bad``: a batch of all items would be refused again.

        Raises:
            StoppedError: The CRM fails for every record.
        """
        if not items:
            return []
        if len(items) == 1:
            return [self._single(items, once)]
        if not known_bad:
            batch = once(items)
            if batch.whole is None:
                return self._missing(items, batch, once)
        half = len(items) // 2
        left = self.write(items[:half], once)
        # If nothing is wrong on the left, it is on the right: a request for all of it would be refused again.
        return left + self.write(items[half:], once, known_bad=all(isinstance(one, Written) for one in left))

    def _missing(self, items: Sequence[Item], batch: Batch, once: Once[Item]) -> list[Result]:
        """Returns the results of a batch that was not refused as a whole."""
        self._failures = 0
        missing = [place for place, result in enumerate(batch.results) if result is None]
        again: list[Result] = [Failed(Fault.NO_RESULT, "the CRM reported success without a result")] * len(missing)
        if batch.has_errors:
            again = self.write([items[place] for place in missing], once, known_bad=True)
        of_place = dict(zip(missing, again, strict=True))
        return [of_place[place] if result is None else result for place, result in enumerate(batch.results)]

    def _single(self, items: Sequence[Item], once: Once[Item]) -> Result:
        batch = once(items)
        result = batch.whole or batch.results[0] or Failed(Fault.NO_RESULT, "the CRM reported success without a result")
        if isinstance(result, Failed) and result.fault is Fault.SERVER_ERROR:
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                raise StoppedError(Pause(0, result.words))
        else:
            self._failures = 0
        return result
