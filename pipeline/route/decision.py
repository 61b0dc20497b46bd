"""A decision about one lead, and the sentence that explains it."""

from typing import Final, Literal, NamedTuple, TypeAlias

from pipeline.event.instant import format_instant
from pipeline.profile.records import Lead

Step: TypeAlias = Literal[
    "existing_owner", "account_owner", "route", "catch_all", "no_routes", "nobody", "no_reps", "duplicate", "known"
]
"""What decided: ``catch_all`` where routes are declared and none took the lead, ``no_routes`` where there are none;
``duplicate`` closes a lead, ``known`` is one that was closed and stands again."""
MAX_CLAUSES: Final = 4
"""Of what stood in the way; a sentence nobody reads to its end explains nothing."""


class Decision(NamedTuple):
    """Who gets a lead, and why."""

    owner: str
    """"" if nobody does."""
    reason: str
    step: Step
    route: str = ""
    """The route's name, where one decided."""


class Case(NamedTuple):
    """A lead whose owner is looked for."""

    lead: Lead
    at_ms: int
    unavailable: list[str]
    """What has stood in the way so far, as clauses."""

    def decided(self, owner: str, why: str, step: Step, route: str = "") -> Decision:
        """The decision, with what stood in the way of somebody else, each hindrance once."""
        shown = list(dict.fromkeys(self.unavailable))
        further = len(shown) - MAX_CLAUSES
        more = [f"and {further} more were passed over"] if further > 0 else []
        return Decision(owner, "; ".join([why, *shown[:MAX_CLAUSES], *more]), step, route)


def day(at_ms: int) -> str:
    """The day of a moment, in UTC; of one that no calendar has, its milliseconds."""
    text = format_instant(at_ms)
    return text[:10] if text else f"{at_ms} ms"
