"""Stories of leads as notes of their own, for CRMs whose notes have no key of ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from connectors.crm.fault import Fault
from connectors.crm.split import Result, Written
from connectors.crm.values import story_lines
from connectors.crm.work import Work

WriteNotes: TypeAlias = Callable[[Sequence[Work]], list[Result]]


def plain_story(work: Work) -> str:
    """Returns the story of a lead as plain text."""
    return "\n".join(story_lines(work.action, work.reason, work.owner.reason))


def write_notes(
    works: Sequence[Work], known: Mapping[str, str], update: WriteNotes, create: WriteNotes
) -> list[Result]:
    """Updates the notes in ``known``, action id → note id, and creates the others. Returns a result for each work.

    Creates notes again that were deleted in the CRM.
    """
    old = [work for work in works if work.action.action_id in known]
    results = {
        work.action.action_id: result
        for work, result in zip(old, update(old), strict=True)
        if isinstance(result, Written) or result.fault is not Fault.GONE
    }
    new = [work for work in works if work.action.action_id not in results]
    results |= {work.action.action_id: result for work, result in zip(new, create(new), strict=True)}
    return [results[work.action.action_id] for work in works]
