"""What follows: the segments and triggers of a profile, decided in the order in which time passes.

Segments come first, because triggers may watch them. Each look is as of one moment, and notes in the row the next at
which time alone can decide anything.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.profile.ports import Booked, Decided
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.trigger.membership import Memberships
from pipeline.trigger.watch import Bearing, Triggers

ALL: Final = -1
"""Every bit: all segments."""
TRAITS_CHANGED: Final = 1
"""The first bit of a touch's marks: it has traits, and a trigger watches a score of fit. The others are segments'."""


class Decisions:
    """The :class:`~pipeline.profile.ports.Decider`. ``fingerprint`` changes with the rules it decides by."""

    def __init__(self, memberships: Memberships, triggers: Triggers, fingerprint: int) -> None:
        self._memberships, self._triggers, self._fingerprint = memberships, triggers, fingerprint

    def pass_time(self, profile_id: str, row: ProfileRow, until_ms: int, decided: Decided) -> None:
        """Live through everything that falls due up to a moment; after a change of rules, look at everything."""
        if row.watched_by != self._fingerprint:
            row.watched_by = self._fingerprint
            row.unwatch()
        if row.due_ms > until_ms or not row.leaves:
            return
        if row.due_ms == 0:
            self._look(profile_id, row, row.moment(until_ms), ALL, decided)
        while row.due_ms <= until_ms:
            as_of_ms = row.moment(row.due_ms)
            self._look(profile_id, row, as_of_ms, self._memberships.due(row, as_of_ms), decided)

    def touched(self, profile_id: str, row: ProfileRow, as_of_ms: int, booked: Booked, decided: Decided) -> None:
        """A touch was booked: decide what it may have changed."""
        given, taken, marks = booked
        row.headroom -= given
        if taken or marks & TRAITS_CHANGED:
            row.headroom = 0
        mask = 0
        if row.due_ms == 0:
            if row.decided_ms:
                self._look(profile_id, row, as_of_ms, ALL, decided)
                return
            mask = self._memberships.begin(row)
        turning = marks >> 1 if row.headroom > 0 else marks >> 1 | self._memberships.scored
        if turning:
            mask |= self._memberships.turning(row, turning)
        if mask or row.headroom <= 0:
            self._look(profile_id, row, as_of_ms, mask, decided)
        else:
            row.decided_ms = as_of_ms

    def joined(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Ledgers came: one of several open episodes leads, and everything is looked at anew."""
        self._triggers.claim(row)
        decided.actions.extend(self._triggers.reconcile(profile_id, row, as_of_ms))
        row.unwatch()
        self._look(profile_id, row, as_of_ms, ALL, decided)

    def parted(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Ledgers went. Who has none left is in no segment; of those who stay, a duplicate may be a lead again."""
        row.unwatch()
        if row.leaves:
            self._look(profile_id, row, as_of_ms, ALL, decided)
            decided.actions.extend(self._triggers.reconcile(profile_id, row, as_of_ms))
        else:
            decided.segment_changes.extend(self._memberships.leave_all(profile_id, row, as_of_ms))
            row.decided_ms = as_of_ms

    def restated(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Identifiers are the customer's now, or no longer: conditions on them are looked at anew."""
        row.unwatch()
        self._look(profile_id, row, as_of_ms, ALL, decided)

    def try_out(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> Mapping[str, Bearing]:
        """Look at everything once, as these rules would, on a row that nobody keeps; where each trigger stands then."""
        row.unwatch()
        moment_ms = row.moment(as_of_ms)
        self._look(profile_id, row, moment_ms, ALL, decided)
        return self._triggers.bearings(row, moment_ms)

    def _look(self, profile_id: str, row: ProfileRow, as_of_ms: int, mask: int, decided: Decided) -> None:
        changes = self._memberships.update(profile_id, row, as_of_ms, mask) if mask else ()
        if changes:
            decided.segment_changes.extend(changes)
        if changes or row.headroom <= 0 or row.triggers_due_ms <= as_of_ms:
            decided.actions.extend(self._triggers.look(profile_id, row, as_of_ms))
        row.due_ms = max(min(row.triggers_due_ms, _earliest(row)), as_of_ms + 1)
        row.decided_ms = as_of_ms


def _earliest(row: ProfileRow) -> int:
    dues: Iterable[int] = [held.due_ms for held in row.segments.values()]
    return min(dues, default=FOREVER)
