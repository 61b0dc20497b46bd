"""PROFILE's logic: books touches into ledgers, moves ledgers to their owners, publishes profiles.

For each message it looks up the anchor's owner and forwards the message if that is another profile. Otherwise it
decides everything that fell due, then books the touch or takes the ledger, then makes the resulting decisions. For each
changed profile, once per commit, it publishes the profile and sets its timer.

**Ownership.** A row's pointer to an anchor names the anchor's owner from a seq on. A higher seq always wins. A move is
sent to the profile that loses the anchor. The new owner learns of it from the first message that is addressed to it as
owner at a seq: a carried ledger or a forwarded touch. A message for another profile's anchor is forwarded to the owner
with the pointer's seq, which is higher than the message's own. The seq rises along every chain of forwards, so every
chain ends at the owner with the highest seq.

**Time.** Decisions are made per touch, for the latest of ``now_ms``, the profile's newest event time and its last
decision. Everything that falls due before is decided first, for its due time. With ``now_ms`` 0 (a replay) the outcome
depends only on the order of touches, not on batching.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from pipeline.event.erasure import NO_MARKS, PartitionMarks
from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.profile.apply import apply_touch
from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.erasure import clean_row, home_of, newer_part
from pipeline.profile.ledger import Ledger, decode_ledger, encode_ledger, merge
from pipeline.profile.messages import Carry, IdentifierOwnership, Message, Move, Touch, carries
from pipeline.profile.ports import Decided, Timers
from pipeline.profile.publish import merged_record, update_of
from pipeline.profile.records import Lead, ProfileUpdate, SegmentChange
from pipeline.profile.refresh import refresh_due_ms
from pipeline.profile.repeated_orders import repeats_order
from pipeline.profile.row import ACTIVE, MERGED, Pointer, ProfileRow

Forward: TypeAlias = tuple[str, Touch | Carry | IdentifierOwnership]
"""(profile id, message) to send to the touches topic, keyed by the profile id."""
Timer: TypeAlias = tuple[int, str]
"""(due time in ms, profile id)."""


class ProfileEffects(NamedTuple):
    """The effects that the shell performs. They share no objects with the rows, so that later changes do not show."""

    forwards: list[Forward]
    updates: list[ProfileUpdate]
    segment_changes: list[SegmentChange]
    leads: list[Lead]


class Applied(NamedTuple):
    """The result of a batch that is booked and not yet published."""

    forwards: list[Forward]
    decided: Decided
    changed: dict[str, None]
    """Profile ids to evaluate before the commit, in the order of their first changes."""
    erased: list[str]
    """Ids of published profiles that exist no longer."""


class ProfileLogic:
    """The pure part of the PROFILE stage, over the rows of one partition."""

    def __init__(
        self,
        rules: CompiledRules,
        profiles: Table[ProfileRow],
        timers: Timers | None = None,
        refresh_ms: int = 0,
        marks: PartitionMarks = NO_MARKS,
    ) -> None:
        """``timers`` None disables timers. ``refresh_ms``: see :mod:`pipeline.profile.refresh`; 0 disables it."""
        self._rules, self._profiles, self._timers, self._refresh_ms = rules, profiles, timers, refresh_ms
        self._marks, self._unswept = marks.known, marks.unswept

    def on_batch(self, messages: Sequence[tuple[str, Message]], now_ms: int) -> ProfileEffects:
        """Books a batch, and publishes every changed profile once."""
        applied = self.apply(messages, now_ms)
        published = self.evaluate(applied.changed, now_ms)
        decided = applied.decided
        return ProfileEffects(
            applied.forwards,
            published.updates,
            decided.segment_changes + published.segment_changes,
            decided.leads + published.leads,
        )

    def apply(self, messages: Iterable[tuple[str, Message]], now_ms: int) -> Applied:
        """Books a batch without publishing. Callers must call :meth:`evaluate` before the commit."""
        applied = _empty_batch()
        rows: dict[str, ProfileRow] = {}
        for profile_id, received in messages:
            message = newer_part(received, self._marks) if self._marks else received
            if message is None:
                continue
            row = rows.get(profile_id)
            if row is None:
                row = rows[profile_id] = self._row(profile_id, now_ms, applied) or ProfileRow(message.tenant)
            if isinstance(message, Touch):
                self._touch(profile_id, row, message, now_ms, applied)
            elif isinstance(message, Move):
                self._move(profile_id, row, message, now_ms, applied)
            elif isinstance(message, IdentifierOwnership):
                self._owned(profile_id, row, message, now_ms, applied)
            else:
                self._carry(profile_id, row, message, now_ms, applied)
        for profile_id, row in rows.items():
            if not row.is_empty:
                self._profiles.put(profile_id, row)
        return applied

    def on_time(self, timers: Iterable[Timer], now_ms: int) -> Applied:
        """Decides everything due for the profiles of due timers. Ignores superseded entries."""
        applied = _empty_batch()
        for due_ms, profile_id in timers:
            row = self._row(profile_id, now_ms, applied)
            if row is not None and row.schedule.take_timer(due_ms):
                as_of_ms = row.moment(now_ms)
                self._rules.decider.advance_to(profile_id, row, as_of_ms, applied.decided)
                row.schedule.mark_decided(as_of_ms)
                self._profiles.put(profile_id, row)
                applied.changed[profile_id] = None
        return applied

    def clean(self, profile_ids: Iterable[str], now_ms: int) -> Applied:
        """Removes everything about erased identifiers from rows. Callers must call :meth:`evaluate` afterwards."""
        applied = _empty_batch()
        for profile_id in profile_ids:
            self._row(profile_id, now_ms, applied)
        return applied

    def _row(self, profile_id: str, now_ms: int, applied: Applied) -> ProfileRow | None:
        """Returns a row as last put, without what was erased since; None if there is none."""
        row = self._profiles.get(profile_id)
        if row is None or not self._unswept:
            return row
        cleaned = clean_row(profile_id, row, self._unswept)
        if not cleaned.changed:
            return row
        as_of_ms, decider = row.moment(now_ms), self._rules.decider
        if cleaned.ledgers:
            decider.on_erased(profile_id, row, cleaned.ledgers, as_of_ms, applied.decided)
        elif cleaned.restated:
            decider.restated(profile_id, row, as_of_ms, applied.decided)
        return self._keep(profile_id, row, applied)

    def _keep(self, profile_id: str, row: ProfileRow, applied: Applied) -> ProfileRow | None:
        """Stores a row that was cleaned. Deletes and returns None for one that holds nothing any more."""
        if row.anchors:
            applied.changed[profile_id] = None
        elif row.published.version and (row.published.status == ACTIVE or row.is_empty):
            applied.erased.append(profile_id)
            row.published.status, row.ownership.handed_to = "", ""
        if not row.is_empty:
            self._profiles.put(profile_id, row)
            return row
        if self._timers is not None and row.schedule.timer_ms:
            self._timers.cancel(row.schedule.timer_ms, profile_id)
        self._profiles.delete(profile_id)
        return None

    def evaluate(self, profile_ids: Iterable[str], now_ms: int) -> ProfileEffects:
        """Publishes profiles as of the latest of ``now_ms``, their newest event time and their last decision."""
        effects = ProfileEffects([], [], [], [])
        for profile_id in profile_ids:
            row = self._profiles.get(profile_id)
            if row is not None:
                self._publish(profile_id, row, now_ms, effects)
        return effects

    def _touch(self, profile_id: str, row: ProfileRow, touch: Touch, now_ms: int, applied: Applied) -> None:
        anchor = touch.anchor
        if self._marks and (home := home_of(touch, profile_id, row, self._marks)) is not None:
            applied.forwards.append((home[0], msgspec.structs.replace(touch, seq=home[1])))
            return
        owner = row.ownership.owner_of(profile_id, anchor, touch.seq)
        if owner != profile_id:
            applied.forwards.append((owner, msgspec.structs.replace(touch, seq=row.ownership.pointers[anchor][0])))
            return
        as_of_ms = max(row.moment(now_ms), touch.timestamp_ms)
        decider = self._rules.decider
        decider.advance_to(profile_id, row, as_of_ms, applied.decided)
        ledger = row.anchors.get(anchor)
        if ledger is None:
            ledger = row.anchors[anchor] = Ledger()
            row.arrived(anchor)
        booked = apply_touch(self._rules.plan, ledger, touch)
        if booked.order and repeats_order(booked.order, ledger, row.anchors.values()):
            # the touch may move an order to an earlier time, which no watch bit and no due time foresees
            decider.restated(profile_id, row, as_of_ms, applied.decided)
        else:
            decider.on_touch(profile_id, row, as_of_ms, booked, applied.decided)
        applied.changed[profile_id] = None

    def _owned(
        self, profile_id: str, row: ProfileRow, ownership: IdentifierOwnership, now_ms: int, applied: Applied
    ) -> None:
        anchor = ownership.anchor
        owner = row.ownership.owner_of(profile_id, anchor, ownership.seq)
        if owner != profile_id:
            applied.forwards.append((owner, msgspec.structs.replace(ownership, seq=row.ownership.pointers[anchor][0])))
            return
        as_of_ms = row.moment(now_ms)
        if anchor in row.anchors:
            self._rules.decider.advance_to(profile_id, row, as_of_ms, applied.decided)
        if row.keep(anchor, {ident: (ownership.decided, own) for ident, own in ownership.owned.items()}):
            self._rules.decider.restated(profile_id, row, as_of_ms, applied.decided)
            applied.changed[profile_id] = None

    def _move(self, profile_id: str, row: ProfileRow, move: Move, now_ms: int, applied: Applied) -> None:
        seq, target = move.seq, move.target
        moved = row.ownership.move(move.anchors, seq, target)
        if target != profile_id and row.ownership.awaited:
            self._pass_on(row, moved, seq, target, applied)
        leaving = [anchor for anchor in moved if anchor in row.anchors] if target != profile_id else ()
        answers = profile_id if move.awaited and target != profile_id else ""
        if leaving:
            as_of_ms = row.moment(now_ms)
            self._rules.decider.advance_to(profile_id, row, as_of_ms, applied.decided)
            ledgers = {anchor: msgspec.Raw(encode_ledger(row.anchors.pop(anchor))) for anchor in leaving}
            applied.forwards.extend((target, carry) for carry in carries(row.tenant, target, seq, ledgers, answers))
            row.hand_over(target)
            self._rules.decider.on_ledger_out(profile_id, row, as_of_ms, applied.decided)
            applied.changed[profile_id] = None
        elif answers:
            applied.forwards.extend((target, carry) for carry in carries(row.tenant, target, seq, {}, answers))

    def _pass_on(self, row: ProfileRow, anchors: Iterable[Identifier], seq: int, target: str, applied: Applied) -> None:
        """Forwards ownership decisions for ledgers that have not arrived yet to the ledgers' new owner."""
        for anchor in anchors:
            for ident, (decided, own) in row.ownership.awaited.pop(anchor, {}).items():
                applied.forwards.append((target, IdentifierOwnership(row.tenant, anchor, seq, {ident: own}, decided)))

    def _carry(self, profile_id: str, row: ProfileRow, carry: Carry, now_ms: int, applied: Applied) -> None:
        ours: dict[Identifier, Ledger] = {}
        further: dict[Pointer, dict[Identifier, msgspec.Raw]] = {}
        for anchor, ledger in carry.ledgers.items():
            owner = row.ownership.owner_of(profile_id, anchor, carry.seq)
            if owner == profile_id:
                ours[anchor] = decode_ledger(ledger)
            else:
                further.setdefault(row.ownership.pointers[anchor], {})[anchor] = ledger
        for (seq, owner), ledgers in further.items():
            applied.forwards.append((owner, Carry(row.tenant, owner, seq, ledgers)))
            row.hand_over(owner)
        if ours:
            self._take_ledgers(profile_id, row, ours, now_ms, applied)
        elif carry.ledgers and not row.anchors:
            applied.changed[profile_id] = None  # the sender may have published a merge into this profile

    def _take_ledgers(
        self, profile_id: str, row: ProfileRow, ledgers: dict[Identifier, Ledger], now_ms: int, applied: Applied
    ) -> None:
        """Takes ledgers that this profile owns."""
        # All ledgers are merged before one decision: a ledger alone may fire a trigger that another has fired already.
        decider = self._rules.decider
        as_of_ms = max(row.moment(now_ms), *(ledger.last[0] for ledger in ledgers.values() if ledger.last), 0)
        decider.advance_to(profile_id, row, as_of_ms, applied.decided)
        for anchor, ledger in ledgers.items():
            existing = row.anchors.get(anchor)
            row.anchors[anchor] = ledger if existing is None else merge(existing, ledger)
            row.arrived(anchor)
        decider.on_ledger_in(profile_id, row, as_of_ms, applied.decided)
        applied.changed[profile_id] = None

    def _publish(self, profile_id: str, row: ProfileRow, now_ms: int, effects: ProfileEffects) -> None:
        as_of_ms = row.moment(now_ms)
        if row.anchors:
            decided = Decided(effects.leads, effects.segment_changes)
            self._rules.decider.advance_to(profile_id, row, as_of_ms, decided)
            row.published.advance(ACTIVE)
            effects.updates.append(update_of(profile_id, row, self._rules, as_of_ms))
            self._set_timer(profile_id, row, as_of_ms)
        elif row.ownership.handed_to and row.published.status != MERGED:
            row.published.advance(MERGED)
            effects.updates.append(merged_record(profile_id, row, row.ownership.handed_to, as_of_ms))
        else:
            return
        self._profiles.put(profile_id, row)

    def _set_timer(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> None:
        """Sets a timer for the profile's next decision or refresh.

        Keeps an existing earlier timer, which then sets the next one. So most touches set no timer.
        """
        if self._timers is None:
            return
        due_ms = min(row.schedule.due_ms, refresh_due_ms(as_of_ms, row.latest_ms(), self._refresh_ms))
        if row.schedule.set_timer(due_ms):
            self._timers.schedule(due_ms, profile_id)


def _empty_batch() -> Applied:
    return Applied([], Decided([], []), {}, [])
