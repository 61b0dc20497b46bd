"""PROFILE: touches into ledgers, ledgers to their owners, profiles out.

Per message: 1. find out who owns the leaf; 2. forward what is not ours; 3. live through what fell due; 4. book the
touch or take the ledger; 5. decide what follows. Per profile changed, once per commit: 6. publish it; 7. set its timer.

**Ownership.** A row's pointer to a leaf names its owner from a seq on, and a higher seq always wins. A move is told to
the profile that is left; the other hears of it by what comes to it as the owner at a seq, a carried ledger or a
forwarded touch. What arrives for another's leaf goes to its owner with the pointer's seq, which is then higher than the
message's own: along every chain the seq rises, so every chain ends, at the owner with the highest.

**Time.** Decisions fall per touch, at the latest of ``now_ms``, the profile's own newest event time and its latest
decision; what falls due in between is decided for its due time first. With ``now_ms`` 0 (a replay) the outcome depends
on the order of touches alone, not on how they were cut into batches.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.event.ports import Table
from pipeline.profile.apply import apply_touch
from pipeline.profile.ledger import Ledger, decode_ledger, encode_ledger, merge
from pipeline.profile.messages import Carry, Move, Ownership, Touch, carries
from pipeline.profile.ports import Decided, Timers
from pipeline.profile.publish import merged_record, update_of
from pipeline.profile.refresh import refresh_due_ms
from pipeline.profile.row import ACTIVE, FOREVER, MERGED, Pointer, ProfileRow
from pipeline.profile.rulebook import Rulebook

Message: TypeAlias = Touch | Move | Carry | Ownership
Forward: TypeAlias = tuple[str, Touch | Carry | Ownership]
"""(profile id, message): goes out on the touches topic, keyed by the profile id."""
Timer: TypeAlias = tuple[int, str]
"""(due time in ms, profile id)."""


class ProfileEffects(NamedTuple):
    """What the shell performs. Everything here is new: nothing in it changes with the rows later."""

    forwards: list[Forward]
    updates: list[dict[str, Any]]
    segment_changes: list[dict[str, Any]]
    actions: list[dict[str, Any]]


class Applied(NamedTuple):
    """A batch booked and not yet published."""

    forwards: list[Forward]
    decided: Decided
    changed: dict[str, None]
    """Profile ids to evaluate before the commit, in the order they first changed."""


class ProfileLogic:
    """The pure half of the PROFILE stage, over the rows of one partition."""

    def __init__(
        self, rules: Rulebook, profiles: Table[ProfileRow], timers: Timers | None = None, refresh_ms: int = 0
    ) -> None:
        """``timers`` None: nothing wakes profiles. ``refresh_ms``: see :mod:`pipeline.profile.refresh`; 0: never."""
        self._rules, self._profiles, self._timers, self._refresh_ms = rules, profiles, timers, refresh_ms

    def on_batch(self, messages: Sequence[tuple[str, Message]], now_ms: int) -> ProfileEffects:
        """Book a batch and publish every profile it changed, once."""
        applied = self.apply(messages, now_ms)
        published = self.evaluate(applied.changed, now_ms)
        decided = applied.decided
        return ProfileEffects(
            applied.forwards,
            published.updates,
            decided.segment_changes + published.segment_changes,
            decided.actions + published.actions,
        )

    def apply(self, messages: Iterable[tuple[str, Message]], now_ms: int) -> Applied:
        """Book a batch. Publishing is left to :meth:`evaluate`, at the latest before the commit."""
        applied = _nothing_yet()
        rows: dict[str, ProfileRow] = {}
        for profile_id, message in messages:
            row = rows.get(profile_id)
            if row is None:
                row = rows[profile_id] = self._profiles.get(profile_id) or ProfileRow(message.tenant)
            if isinstance(message, Touch):
                self._touch(profile_id, row, message, now_ms, applied)
            elif isinstance(message, Move):
                self._move(profile_id, row, message, now_ms, applied)
            elif isinstance(message, Ownership):
                self._owned(profile_id, row, message, now_ms, applied)
            else:
                self._carry(profile_id, row, message, now_ms, applied)
        for profile_id, row in rows.items():
            self._profiles.put(profile_id, row)
        return applied

    def on_time(self, timers: Iterable[Timer], now_ms: int) -> Applied:
        """Live through what is due of the profiles whose timers are; an entry that was superseded wakes nobody."""
        applied = _nothing_yet()
        for due_ms, profile_id in timers:
            row = self._profiles.get(profile_id)
            if row is not None and row.timer_ms == due_ms:
                row.timer_ms, as_of_ms = 0, row.moment(now_ms)
                self._rules.decider.pass_time(profile_id, row, as_of_ms, applied.decided)
                row.decided_ms = as_of_ms
                self._profiles.put(profile_id, row)
                applied.changed[profile_id] = None
        return applied

    def evaluate(self, profile_ids: Iterable[str], now_ms: int) -> ProfileEffects:
        """Publish profiles as they are at the latest of ``now_ms``, their newest event time and their last decision."""
        effects = ProfileEffects([], [], [], [])
        for profile_id in profile_ids:
            row = self._profiles.get(profile_id)
            if row is not None:
                self._publish(profile_id, row, now_ms, effects)
        return effects

    def _touch(self, profile_id: str, row: ProfileRow, touch: Touch, now_ms: int, applied: Applied) -> None:
        leaf = touch.leaf
        owner = _owner(profile_id, row, leaf, touch.seq)
        if owner != profile_id:
            applied.forwards.append((owner, msgspec.structs.replace(touch, seq=row.pointers[leaf][0])))
            return
        as_of_ms = max(row.moment(now_ms), touch.timestamp_ms)
        decider = self._rules.decider
        decider.pass_time(profile_id, row, as_of_ms, applied.decided)
        ledger = row.leaves.get(leaf)
        if ledger is None:
            ledger = row.leaves[leaf] = Ledger()
            row.arrived(leaf)
        booked = apply_touch(self._rules.plan, ledger, touch)
        decider.touched(profile_id, row, as_of_ms, booked, applied.decided)
        applied.changed[profile_id] = None

    def _owned(self, profile_id: str, row: ProfileRow, told: Ownership, now_ms: int, applied: Applied) -> None:
        leaf = told.leaf
        owner = _owner(profile_id, row, leaf, told.seq)
        if owner != profile_id:
            applied.forwards.append((owner, msgspec.structs.replace(told, seq=row.pointers[leaf][0])))
            return
        as_of_ms = row.moment(now_ms)
        if leaf in row.leaves:
            self._rules.decider.pass_time(profile_id, row, as_of_ms, applied.decided)
        if row.keep(leaf, {ident: (told.decided, own) for ident, own in told.owned.items()}):
            self._rules.decider.restated(profile_id, row, as_of_ms, applied.decided)
            applied.changed[profile_id] = None

    def _move(self, profile_id: str, row: ProfileRow, move: Move, now_ms: int, applied: Applied) -> None:
        seq, target, pointers = move.seq, move.target, row.pointers
        moved = [leaf for leaf in move.leaves if leaf not in pointers or seq > pointers[leaf][0]]
        pointers.update(dict.fromkeys(moved, (seq, target)))
        if target != profile_id and row.awaited:
            self._pass_on(row, moved, seq, target, applied)
        parting = [leaf for leaf in moved if leaf in row.leaves] if target != profile_id else ()
        if parting:
            as_of_ms = row.moment(now_ms)
            self._rules.decider.pass_time(profile_id, row, as_of_ms, applied.decided)
            ledgers = {leaf: msgspec.Raw(encode_ledger(row.leaves.pop(leaf))) for leaf in parting}
            applied.forwards.extend((target, carry) for carry in carries(row.tenant, target, seq, ledgers))
            row.bequeath(target)
            self._rules.decider.parted(profile_id, row, as_of_ms, applied.decided)
            applied.changed[profile_id] = None

    def _pass_on(self, row: ProfileRow, leaves: Iterable[Identifier], seq: int, target: str, applied: Applied) -> None:
        """What was decided for ledgers that have not come goes where they are going."""
        for leaf in leaves:
            for ident, (decided, own) in row.awaited.pop(leaf, {}).items():
                applied.forwards.append((target, Ownership(row.tenant, leaf, seq, {ident: own}, decided)))

    def _carry(self, profile_id: str, row: ProfileRow, carry: Carry, now_ms: int, applied: Applied) -> None:
        ours: dict[Identifier, Ledger] = {}
        further: dict[Pointer, dict[Identifier, msgspec.Raw]] = {}
        for leaf, ledger in carry.ledgers.items():
            owner = _owner(profile_id, row, leaf, carry.seq)
            if owner == profile_id:
                ours[leaf] = decode_ledger(ledger)
            else:
                further.setdefault(row.pointers[leaf], {})[leaf] = ledger
        for (seq, owner), ledgers in further.items():
            applied.forwards.append((owner, Carry(row.tenant, owner, seq, ledgers)))
            row.bequeath(owner)
        if ours:
            self._join(profile_id, row, ours, now_ms, applied)
        elif not row.leaves:
            applied.changed[profile_id] = None  # whoever sent it may have named this profile as their heir

    def _join(
        self, profile_id: str, row: ProfileRow, ledgers: dict[Identifier, Ledger], now_ms: int, applied: Applied
    ) -> None:
        """Take ledgers that are ours. They are decided on together: one alone may fire what another has fired."""
        decider = self._rules.decider
        as_of_ms = max(row.moment(now_ms), *(ledger.last[0] for ledger in ledgers.values() if ledger.last), 0)
        decider.pass_time(profile_id, row, as_of_ms, applied.decided)
        for leaf, ledger in ledgers.items():
            held = row.leaves.get(leaf)
            row.leaves[leaf] = ledger if held is None else merge(held, ledger)
            row.arrived(leaf)
        decider.joined(profile_id, row, as_of_ms, applied.decided)
        applied.changed[profile_id] = None

    def _publish(self, profile_id: str, row: ProfileRow, now_ms: int, effects: ProfileEffects) -> None:
        as_of_ms = row.moment(now_ms)
        if row.leaves:
            decided = Decided(effects.actions, effects.segment_changes)
            self._rules.decider.pass_time(profile_id, row, as_of_ms, decided)
            row.status, row.version = ACTIVE, row.version + 1
            effects.updates.append(update_of(profile_id, row, self._rules, as_of_ms))
            self._set_timer(profile_id, row, as_of_ms)
        elif row.heir and row.status != MERGED:
            row.status, row.version = MERGED, row.version + 1
            effects.updates.append(merged_record(profile_id, row, row.heir, as_of_ms))
        else:
            return
        self._profiles.put(profile_id, row)

    def _set_timer(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> None:
        """Have the profile woken when it next has something to decide or is to be published again.

        An entry that would come too early stays: when it comes, it finds what is due then. So most touches set none.
        """
        if self._timers is None:
            return
        due_ms = min(row.due_ms, refresh_due_ms(as_of_ms, row.latest_ms(), self._refresh_ms))
        if due_ms < FOREVER and (row.timer_ms == 0 or due_ms < row.timer_ms):
            row.timer_ms = due_ms
            self._timers.schedule(due_ms, profile_id)


def _nothing_yet() -> Applied:
    return Applied([], Decided([], []), {})


def _owner(profile_id: str, row: ProfileRow, leaf: str, seq: int) -> str:
    """Who owns the leaf, given that the sender knew us as its owner at ``seq`` (0: it did not say)."""
    known = row.pointers.get(leaf)
    if known is None or seq > known[0]:
        if seq:
            row.pointers[leaf] = (seq, profile_id)
        return profile_id
    return known[1]
