"""What follows: the segments and triggers of a profile, decided in the order in which time passes.

Segments come first, because triggers may watch them. Each look is as of one moment, and notes in the row the next at
which time alone can decide anything.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.profile.ports import Booked, Decided
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.segment.facts import Facts
from pipeline.trigger.membership import Memberships
from pipeline.trigger.watch import Triggers, TriggerState

ALL: Final = -1
"""Every bit: all segments."""
TRAITS_CHANGED: Final = 1
"""The first bit of a touch's changed bits: a trait came that a fit score may read. The others are segments'."""


class RuleDecider:
    """The :class:`~pipeline.profile.ports.Decider`. ``fingerprint`` changes with the rules it decides by."""

    def __init__(self, memberships: Memberships, triggers: Triggers, fingerprint: int) -> None:
        self._memberships, self._triggers, self._fingerprint = memberships, triggers, fingerprint

    def advance_to(self, profile_id: str, row: ProfileRow, until_ms: int, decided: Decided) -> None:
        """Live through everything that falls due up to a moment; after a change of rules, look at everything."""
        schedule = row.schedule
        if schedule.rules_fingerprint != self._fingerprint:
            schedule.rules_fingerprint = self._fingerprint
            schedule.reset()
        if schedule.due_ms > until_ms or not row.anchors:
            return
        if schedule.due_ms == 0:
            self._evaluate(profile_id, row, row.moment(until_ms), ALL, decided)
        while schedule.due_ms <= until_ms:
            as_of_ms = row.moment(schedule.due_ms)
            self._evaluate(profile_id, row, as_of_ms, self._memberships.due(row, as_of_ms), decided)

    def on_touch(self, profile_id: str, row: ProfileRow, as_of_ms: int, booked: Booked, decided: Decided) -> None:
        """A touch was booked: decide what it may have changed."""
        given, taken, changed_bits = booked
        schedule = row.schedule
        schedule.headroom -= given
        if taken or changed_bits & TRAITS_CHANGED:
            schedule.headroom = 0
        mask = 0
        if schedule.due_ms == 0:
            if schedule.decided_ms:
                self._evaluate(profile_id, row, as_of_ms, ALL, decided)
                return
            mask = self._memberships.start_watching(row)
        affected = changed_bits >> 1 if schedule.headroom > 0 else changed_bits >> 1 | self._memberships.score_bits
        if affected:
            mask |= self._memberships.affected_mask(row, affected)
        if mask or schedule.headroom <= 0:
            self._evaluate(profile_id, row, as_of_ms, mask, decided)
        else:
            schedule.decided_ms = as_of_ms

    def on_ledger_in(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Ledgers came: one of several open episodes leads, and everything is looked at anew."""
        decided.leads.extend(self._triggers.reconcile(profile_id, row, as_of_ms))
        row.schedule.reset()
        self._evaluate(profile_id, row, as_of_ms, ALL, decided)

    def on_ledger_out(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Ledgers went. Who has none left is in no segment; of those who stay, a duplicate may be a lead again."""
        row.schedule.reset()
        if row.anchors:
            self._evaluate(profile_id, row, as_of_ms, ALL, decided)
            decided.leads.extend(self._triggers.reconcile(profile_id, row, as_of_ms))
        else:
            decided.segment_changes.extend(self._memberships.leave_all(profile_id, row, as_of_ms))
            row.schedule.decided_ms = as_of_ms

    def dry_run(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> Mapping[str, TriggerState]:
        """Look at everything once, as these rules would, on a row that nobody keeps; where each trigger stands then."""
        row.schedule.reset()
        moment_ms = row.moment(as_of_ms)
        self._evaluate(profile_id, row, moment_ms, ALL, decided)
        return self._triggers.trigger_states(row, Facts(row.ledgers(), moment_ms))

    def _evaluate(self, profile_id: str, row: ProfileRow, as_of_ms: int, mask: int, decided: Decided) -> None:
        facts, schedule = Facts(row.ledgers(), as_of_ms), row.schedule
        changes, waits_for_score = self._memberships.update(profile_id, row, facts, mask) if mask else ((), False)
        decided.segment_changes.extend(changes)
        if schedule.headroom <= 0 or schedule.triggers_due_ms <= as_of_ms:
            decided.leads.extend(self._triggers.evaluate(profile_id, row, facts))
        else:
            if changes:
                segments = [change.segment for change in changes]
                decided.leads.extend(self._triggers.evaluate_changed(profile_id, row, facts, segments))
            if waits_for_score:
                self._triggers.limit_headroom(row, facts)
        schedule.due_ms = max(min(schedule.triggers_due_ms, _earliest(row)), as_of_ms + 1)
        schedule.decided_ms = as_of_ms


def _earliest(row: ProfileRow) -> int:
    dues: Iterable[int] = [membership.due_ms for membership in row.segments.values()]
    return min(dues, default=FOREVER)
