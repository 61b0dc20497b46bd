"""Stories of leads as notes of their own, for CRMs whose notes have no key of ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from connectors.crm.exchange import Call
from connectors.crm.fault import Fault
from connectors.crm.split import Result, Written
from connectors.crm.values import story_lines
from connectors.crm.work import Work

Write: TypeAlias = Callable[[Sequence[Work], Callable[[Sequence[Work]], Call]], list[Result]]
"""Sends works in requests that the call makes. Returns a result for each work."""


class NoteCalls(Protocol):
    """The requests of a CRM that write notes."""

    def update_notes(self, ids: Sequence[str], texts: Sequence[str], tenant: str) -> Call:
        """Returns the request that replaces the texts of notes."""
        ...

    def create_notes(self, works: Sequence[Work], texts: Sequence[str], tenant: str) -> Call:
        """Returns the request that creates notes."""
        ...


def plain_story(work: Work) -> str:
    """Returns the story of a lead as plain text."""
    return "\n".join(story_lines(work.action, work.reason, work.owner.reason))


def write_notes(
    works: Sequence[Work], known: Mapping[str, str], calls: NoteCalls, write: Write, tenant: str
) -> list[Result]:
    """Updates the notes in ``known``, action id → note id, and creates the others. Returns a result for each work.

    Creates notes again that were deleted in the CRM.
    """

    def update(part: Sequence[Work]) -> Call:
        return calls.update_notes([known[work.action.action_id] for work in part], _texts(part), tenant)

    def create(part: Sequence[Work]) -> Call:
        return calls.create_notes(part, _texts(part), tenant)

    old = [work for work in works if work.action.action_id in known]
    results = {
        work.action.action_id: result
        for work, result in zip(old, write(old, update), strict=True)
        if isinstance(result, Written) or result.fault is not Fault.GONE
    }
    new = [work for work in works if work.action.action_id not in results]
    results |= {work.action.action_id: result for work, result in zip(new, write(new, create), strict=True)}
    return [results[work.action.action_id] for work in works]


def _texts(works: Sequence[Work]) -> list[str]:
    return [plain_story(work) for work in works]
