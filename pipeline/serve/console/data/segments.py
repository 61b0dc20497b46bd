"""Segments: sizes, members, and the count of a condition that is being written."""

from typing import Final

import msgspec

from pipeline.serve.console.data.lines import line_of
from pipeline.serve.console.views import Page, Preview, SegmentLine
from pipeline.serve.read.reads import Reads

SAMPLE: Final = 8


class SegmentData:
    """Reads segments, and evaluates conditions on the stored profiles."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def all(self, tenant: str) -> list[SegmentLine]:
        """Returns every segment of the rules, and those that still have members."""
        return [
            SegmentLine(item["name"], item["when"] or "", item["description"], item["members"])
            for item in self._reads.segments.all(tenant)
        ]

    def members(self, tenant: str, segment: str, cursor: str, limit: int) -> Page:
        """Returns a page of members."""
        page = self._reads.segments.members(tenant, segment, limit=limit, cursor=cursor)
        return Page([line_of(update) for update in page.items], page.next)

    def preview(self, tenant: str, condition: str) -> Preview:
        """Returns the number of customers that meet a condition now, counted or estimated within a second.

        Raises:
            ConditionError: the text is no condition, or uses names that the rules do not define.
        """
        counted = self._reads.preview.count(tenant, condition, sample=SAMPLE)
        sample = self._reads.profiles.find_all(tenant, counted.sample)
        return Preview(counted, [line_of(msgspec.json.decode(found.body)) for found in sample if found])
