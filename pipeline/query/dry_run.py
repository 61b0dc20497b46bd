"""Evaluates triggers on the stored profiles before their rules are deployed."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.ports import Decided
from pipeline.profile.records import CrmAction
from pipeline.profile.row import ProfileRow
from pipeline.query.members import member_of
from pipeline.trigger.action import LEAD

WAITS: Final = ("cooldown", "consent", "quiet_hours")
"""Reasons why a trigger whose condition holds does not fire yet. A profile counts under the first that applies."""


class Tally(msgspec.Struct):
    """Number of profiles by what one trigger would do with them."""

    fires: int = 0
    """The trigger is armed and its condition holds: a worker that evaluates it now emits an action."""
    waits: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(WAITS, 0))
    """The condition holds but one of ``WAITS`` delays the action; by that reason."""
    open: int = 0
    """The trigger has fired and has not re-armed since, so it does not fire now."""
    spent: int = 0
    """The trigger has fired and fires only once per customer."""
    sample: list[dict[str, Any]] = []
    """Some profiles the trigger fires for: the columns of a segment's members, plus score and grade."""


class DryRun(msgspec.Struct):
    """The tallies of all triggers, and the number of profiles they were evaluated on."""

    profiles: int
    tallies: dict[str, Tally]


def dry_run(
    rows: Iterable[tuple[str, ProfileRow]], rules: CompiledRules, names: Iterable[str], as_of_ms: int, sample: int
) -> DryRun:
    """Evaluates all triggers once per profile, at ``as_of_ms`` or later.

    A profile is never evaluated before its newest event or its last evaluation. ``names`` are all triggers of the
    rules. Modifies the rows: opens and closes episodes in them as a worker does. Rows come in the order of profile ids,
    which are hashes, so the first ``sample`` profiles are a random sample.
    """
    outcome = DryRun(0, {name: Tally() for name in names})
    for profile_id, row in rows:
        outcome.profiles += 1
        decided = Decided([], [])
        trigger_states = rules.decider.dry_run(profile_id, row, as_of_ms, decided)
        fired = {lead.action.trigger: lead.action for lead in decided.leads if lead.action.kind == LEAD}
        for name, tally in outcome.tallies.items():
            if name in fired:
                tally.fires += 1
                if len(tally.sample) < sample:
                    tally.sample.append(_sampled(profile_id, row, fired[name]))
            elif trigger_states[name] in WAITS:
                tally.waits[trigger_states[name]] += 1
            else:
                tally.open += trigger_states[name] == "open"
                tally.spent += trigger_states[name] == "spent"
    return outcome


def _sampled(profile_id: str, row: ProfileRow, action: CrmAction) -> dict[str, Any]:
    return member_of(profile_id, row) | {"score": action.score, "grade": action.grade}
