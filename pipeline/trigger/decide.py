"""Evaluates the segments and triggers of a profile, strictly in order of time.

Segments are evaluated first, because triggers may watch them. Each evaluation is as of one moment. It stores in the row
the due time: the next moment at which time alone can change any result.
"""

from collections.abc import Mapping
from typing import Final

from pipeline.event.identifier import Identifier
from pipeline.profile.ledger import Ledger
from pipeline.profile.ports import Booked, Decided
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.segment.facts import Facts
from pipeline.trigger.action import erasures_of
from pipeline.trigger.membership import Memberships
from pipeline.trigger.watch import Triggers, TriggerState

ALL: Final = -1
"""The mask of all segments."""
TRAITS_CHANGED: Final = 1
"""Bit 0 of a touch's changed bits: the touch changed a trait that a fit score may read. The other bits belong to
segments."""


class RuleDecider:
    """The :class:`~pipeline.profile.ports.Decider` over compiled rules. ``fingerprint`` is a hash of those rules."""

    def __init__(self, memberships: Memberships, triggers: Triggers, fingerprint: int) -> None:
        self._memberships, self._triggers, self._fingerprint = memberships, triggers, fingerprint

    def advance_to(self, profile_id: str, row: ProfileRow, until_ms: int, decided: Decided) -> None:
        """Evaluates everything that falls due up to a moment, each as of its own due time.

        After a change of rules, first evaluates everything as of ``until_ms``.
        """
        schedule = row.schedule
        if schedule.rules_fingerprint != self._fingerprint:
            schedule.rules_fingerprint = self._fingerprint
            schedule.reset()
        if schedule.due_ms > until_ms or not row.anchors:
            return
        if schedule.due_ms == 0:  # reset: nothing is known about the row
            self._evaluate(profile_id, row, row.moment(until_ms), ALL, decided)
        while schedule.due_ms <= until_ms:
            as_of_ms = row.moment(schedule.due_ms)
            self._evaluate(profile_id, row, as_of_ms, self._memberships.due(row, as_of_ms), decided)

    def on_touch(self, profile_id: str, row: ProfileRow, as_of_ms: int, booked: Booked, decided: Decided) -> None:
        """Evaluates what a booked touch may have changed.

        ``headroom`` is the number of points that can be given before any score can reach a watched threshold. While it
        is above 0, triggers and conditions on rising scores are skipped.
        """
        given, taken, changed_bits, _ = booked
        schedule = row.schedule
        schedule.headroom -= given
        if taken or changed_bits & TRAITS_CHANGED:
            schedule.headroom = 0  # a score may have moved in either direction
        mask = 0
        if schedule.due_ms == 0:
            if schedule.decided_ms:  # evaluated before and reset since
                self._evaluate(profile_id, row, as_of_ms, ALL, decided)
                return
            mask = self._memberships.start_watching(row)  # the first touch of a new profile
        affected = changed_bits >> 1 if schedule.headroom > 0 else changed_bits >> 1 | self._memberships.score_bits
        if affected:
            mask |= self._memberships.affected_mask(row, affected)
        if mask or schedule.headroom <= 0:
            self._evaluate(profile_id, row, as_of_ms, mask, decided)
        else:
            schedule.decided_ms = as_of_ms

    def on_ledger_in(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Ledgers were merged in: reconciles open episodes, then evaluates everything."""
        self._triggers.claim(row)
        decided.leads.extend(self._triggers.reconcile(profile_id, row, as_of_ms))
        row.schedule.reset()
        self._evaluate(profile_id, row, as_of_ms, ALL, decided)

    def on_ledger_out(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Ledgers were moved away: evaluates everything, then reconciles; a former duplicate may become a lead again.

        A profile without ledgers leaves all its segments.
        """
        row.schedule.reset()
        if row.anchors:
            self._evaluate(profile_id, row, as_of_ms, ALL, decided)
            decided.leads.extend(self._triggers.reconcile(profile_id, row, as_of_ms))
        else:
            decided.segment_changes.extend(self._memberships.leave_all(profile_id, row, as_of_ms))
            row.schedule.decided_ms = as_of_ms

    def on_erased(
        self,
        profile_id: str,
        row: ProfileRow,
        ledgers: Mapping[Identifier, Ledger],
        as_of_ms: int,
        decided: Decided,
    ) -> None:
        """Ledgers were erased: as if they were moved away, and every lead that they opened is erased."""
        self.on_ledger_out(profile_id, row, as_of_ms, decided)
        decided.leads.extend(erasures_of(profile_id, row.tenant, ledgers, as_of_ms))

    def restated(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Evaluates everything after the set of the customer's identifiers changed."""
        row.schedule.reset()
        self._evaluate(profile_id, row, as_of_ms, ALL, decided)

    def dry_run(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> Mapping[str, TriggerState]:
        """Evaluates everything once on a row that is not stored. Returns the state of each trigger by name."""
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
    return min([FOREVER, *[membership.due_ms for membership in row.segments.values()]])
