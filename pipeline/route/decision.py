"""The decision about one lead, with the sentence that explains it."""

from typing import Final, Literal, NamedTuple, TypeAlias

from pipeline.event.instant import format_instant
from pipeline.profile.records import Lead

Step: TypeAlias = Literal[
    "existing_owner", "account_owner", "route", "catch_all", "no_routes", "no_available_rep", "no_reps", "duplicate",
    "known", "erased",
]  # fmt: skip
"""The routing step that decided.

``catch_all``: routes are declared, but none took the lead. ``no_routes``: no routes are declared, so the catch-all team
took it. ``no_available_rep``: no representative is available. ``no_reps``: no representatives are declared.
``duplicate``: the action closes a lead. ``known``: the lead was closed and is open again. ``erased``: the
action erases a lead."""
MAX_CLAUSES: Final = 4
"""Obstacles that a reason lists at most; a longer sentence would no longer explain."""


class Decision(NamedTuple):
    """The owner of a lead, and the reason."""

    owner: str
    """"" if the lead has no owner."""
    reason: str
    step: Step
    route: str = ""
    """Name of the route that decided; "" if another step did."""


class Case(NamedTuple):
    """A lead that needs an owner."""

    lead: Lead
    at_ms: int
    unavailable: list[str]
    """Why representatives have been passed over so far, one clause each. Later steps append to it."""

    def decided(self, owner: str, why: str, step: Step, route: str = "") -> Decision:
        """Returns the decision. Its reason is ``why``, followed by the obstacles so far, each once."""
        shown = list(dict.fromkeys(self.unavailable))
        further = len(shown) - MAX_CLAUSES
        more = [f"and {further} more were passed over"] if further > 0 else []
        return Decision(owner, "; ".join([why, *shown[:MAX_CLAUSES], *more]), step, route)


def day(at_ms: int) -> str:
    """Returns the UTC day of a moment as 2026-12-24, or its milliseconds if it is outside the calendar."""
    text = format_instant(at_ms)
    return text[:10] if text else f"{at_ms} ms"
