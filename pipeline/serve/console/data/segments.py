"""Segments: sizes, members, and the count of a condition that is being written."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.condition.errors import ConditionError
from pipeline.query.members import member_of
from pipeline.rules.model import Rules
from pipeline.score.forecast import Forecaster
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.segment.segments import SegmentError, Segments
from pipeline.serve.console.data.lines import line_of, name_of
from pipeline.serve.console.data.states import States
from pipeline.serve.console.views import CustomerLine, Page, Preview, SegmentLine
from pipeline.serve.read.reads import Reads

TYPED: Final = "(typed)"
"""The name of the condition that is being written. Conditions cannot refer to it: it is no name in their language."""
PREVIEW_SECONDS: Final = 1.0
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
        """Returns the number of customers for whom a condition holds now, or the mistake in it.

        Counts for at most ``PREVIEW_SECONDS``; what is counted by then is a random sample of the customers.
        """
        try:
            segments = with_condition(self._reads.context.rules, condition)
        except ConditionError as error:
            return Preview(0, 0, 0, [], error)
        except SegmentError as error:
            return Preview(0, 0, 0, [], error.error)
        states = States(self._reads.context.store, tenant, PREVIEW_SECONDS)
        now_ms, members, profiles, sample = self._reads.context.clock(), 0, 0, list[CustomerLine]()
        for profile_id, row in states.rows():
            profiles += 1
            if segments.holds(TYPED, row.ledgers(), max(now_ms, row.latest_ms())):
                members += 1
                if len(sample) < SAMPLE:
                    sample.append(member_line(member_of(profile_id, row)))
        return Preview(members, profiles, states.total, sample, None)


def with_condition(rules: Rules, condition: str) -> Segments:
    """Returns the compiled segments of the rules with a condition as one more.

    Raises:
        ConditionError: the text is no condition.
        SegmentError: it uses names that the rules do not define.
    """
    declared = (*rules.segments.segments, SegmentRule(name=TYPED, when=condition))
    return Segments(
        SegmentRules(segments=declared),
        rules.aggregates,
        rules.scores,
        identifier_types=[kind.name for kind in rules.identifiers],
        journeys=rules.journeys,
        forecast=Forecaster(rules.model),
    )


def member_line(member: Mapping[str, Any]) -> CustomerLine:
    """Returns a member as a line of a list, without score."""
    return CustomerLine(member["profile_id"], name_of(member), member["identifiers"], 0, 0.0, "")
