"""What triggers would do with the stored profiles, before their rules are deployed."""

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
"""What makes a trigger wait whose signal holds. A customer is counted under the first that does."""


class Tally(msgspec.Struct):
    """What one trigger would do."""

    fires: int = 0
    """Armed, and its signal holds: a worker that looks now sends an action."""
    waits: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(WAITS, 0))
    """Its signal holds, by what it waits for."""
    open: int = 0
    """Fired before and not armed again since, so it does not fire now."""
    spent: int = 0
    """Fired before, and may do so but once in a life."""
    sample: list[dict[str, Any]] = []
    """Some for whom it would fire, by the columns of a segment's members, with score and grade."""


class DryRun(msgspec.Struct):
    """What all triggers would do with so many profiles."""

    profiles: int
    tallies: dict[str, Tally]


def dry_run(
    rows: Iterable[tuple[str, ProfileRow]], rules: CompiledRules, names: Iterable[str], as_of_ms: int, sample: int
) -> DryRun:
    """Look at every profile once, at a moment, but not before its newest event and its latest decision.

    The rows are used up: episodes are opened and closed in them as a worker would do it. ``names`` are all triggers of
    the rules. Rows come in the order of profile ids, which are hashes: the first are as good as drawn.
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
