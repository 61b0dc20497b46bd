"""PROFILE: touches into ledgers, ledgers to their owners, profiles out.

Per message: 1. find out who owns the leaf; 2. forward what is not ours; 3. re-arm triggers; 4. book the touch or take
the ledger; 5. fire triggers. Per profile touched, once per commit: 6. publish it.

**Ownership.** A row's pointer to a leaf names its owner from a seq on, and a higher seq always wins. A message that
says it was sent to us as the owner at a seq (a forwarded touch, a carried ledger) is as good as the move itself, which
may still be under way. What arrives for another's leaf goes to its owner with the pointer's seq, which is then
higher than the message's own: along every chain the seq rises, so every chain ends, at the owner with the highest.

**Time.** Triggers are looked at per touch, at the latest of ``now_ms`` and the profile's own newest event time. With
``now_ms`` 0 (a replay) the outcome depends on the order of touches alone, not on how they were cut into batches.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from pipeline.event.ports import Table
from pipeline.profile.apply import apply_touch
from pipeline.profile.ledger import Ledger, decode_ledger, encode_ledger, merge
from pipeline.profile.messages import Carry, Move, Touch
from pipeline.profile.publish import merged_record, update_of
from pipeline.profile.row import ProfileRow
from pipeline.profile.rulebook import Rulebook

Message: TypeAlias = Touch | Move | Carry
Forward: TypeAlias = tuple[str, Touch | Carry]
"""(profile id, message): goes out on the touches topic, keyed by the profile id."""

ACTIVE: Final = "active"
MERGED: Final = "merged"
NO_POINTS: Final = (0, 0)


class ProfileEffects(NamedTuple):
    """What the shell performs. Everything here is new: nothing in it changes with the rows later."""

    forwards: list[Forward]
    updates: list[dict[str, Any]]
    segment_changes: list[dict[str, Any]]
    actions: list[dict[str, Any]]


class Applied(NamedTuple):
    """A batch booked and not yet published."""

    forwards: list[Forward]
    actions: list[dict[str, Any]]
    changed: dict[str, None]
    """Profile ids to evaluate before the commit, in the order they first changed."""


class ProfileLogic:
    """The pure half of the PROFILE stage, over the rows of one partition."""

    def __init__(self, rules: Rulebook, profiles: Table[ProfileRow]) -> None:
        self._rules, self._profiles = rules, profiles

    def on_batch(self, messages: Sequence[tuple[str, Message]], now_ms: int) -> ProfileEffects:
        """Book a batch and publish every profile it changed, once."""
        applied = self.apply(messages, now_ms)
        published = self.evaluate(applied.changed, now_ms)
        return published._replace(forwards=applied.forwards, actions=applied.actions + published.actions)

    def apply(self, messages: Iterable[tuple[str, Message]], now_ms: int) -> Applied:
        """Book a batch. Publishing is left to :meth:`evaluate`, at the latest before the commit."""
        applied = Applied([], [], {})
        rows: dict[str, ProfileRow] = {}
        for profile_id, message in messages:
            row = rows.get(profile_id)
            if row is None:
                row = rows[profile_id] = self._profiles.get(profile_id) or ProfileRow(message.tenant)
            if isinstance(message, Touch):
                self._touch(profile_id, row, message, now_ms, applied)
            elif isinstance(message, Move):
                self._move(profile_id, row, message, applied)
            else:
                self._carry(profile_id, row, message, now_ms, applied)
        for profile_id, row in rows.items():
            self._profiles.put(profile_id, row)
        return applied

    def evaluate(self, profile_ids: Iterable[str], now_ms: int) -> ProfileEffects:
        """Publish profiles as they are at the latest of ``now_ms`` and their own newest event time."""
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
        as_of_ms = max(now_ms, row.latest_ms(), touch.timestamp_ms)
        watcher = self._rules.watcher
        watcher.before(row, as_of_ms)
        ledger = row.leaves.get(leaf)
        if ledger is None:
            ledger = row.leaves[leaf] = Ledger()
        points = apply_touch(self._rules.plan, ledger, touch)
        if points != NO_POINTS:
            applied.actions.extend(watcher.after(profile_id, row, as_of_ms, points))
        applied.changed[profile_id] = None

    def _move(self, profile_id: str, row: ProfileRow, move: Move, applied: Applied) -> None:
        leaf, seq, target = move.leaf, move.seq, move.target
        if seq <= row.pointers.get(leaf, (0, ""))[0]:
            return
        row.pointers[leaf] = (seq, target)
        if target == profile_id:
            return
        ledger = row.leaves.pop(leaf, None)
        if ledger is not None:
            row.unwatch()
            carried = msgspec.Raw(encode_ledger(ledger))
            applied.forwards.append((target, Carry(row.tenant, leaf, target, seq, carried)))
            applied.changed[profile_id] = None

    def _carry(self, profile_id: str, row: ProfileRow, carry: Carry, now_ms: int, applied: Applied) -> None:
        leaf = carry.leaf
        owner = _owner(profile_id, row, leaf, carry.seq)
        if owner != profile_id:
            further = msgspec.structs.replace(carry, target=owner, seq=row.pointers[leaf][0])
            applied.forwards.append((owner, further))
            return
        ledger, held = decode_ledger(carry.ledger), row.leaves.get(leaf)
        row.leaves[leaf] = ledger if held is None else merge(held, ledger)
        as_of_ms = max(now_ms, row.latest_ms())
        applied.actions.extend(self._rules.watcher.joined(profile_id, row, as_of_ms))
        applied.changed[profile_id] = None

    def _publish(self, profile_id: str, row: ProfileRow, now_ms: int, effects: ProfileEffects) -> None:
        as_of_ms = max(now_ms, row.latest_ms())
        if row.leaves:
            watcher = self._rules.watcher
            watcher.before(row, as_of_ms)
            effects.actions.extend(watcher.after(profile_id, row, as_of_ms, NO_POINTS))
            row.status, row.version = ACTIVE, row.version + 1
            effects.updates.append(update_of(profile_id, row, self._rules, as_of_ms))
        elif row.status == ACTIVE and (target := row.successor(profile_id)):
            row.status, row.version = MERGED, row.version + 1
            effects.updates.append(merged_record(profile_id, row, target, as_of_ms))
        else:
            return
        self._profiles.put(profile_id, row)


def _owner(profile_id: str, row: ProfileRow, leaf: str, seq: int) -> str:
    """Who owns the leaf, given that the sender knew us as its owner at ``seq`` (0: it did not say)."""
    known = row.pointers.get(leaf)
    if known is None or seq > known[0]:
        if seq:
            row.pointers[leaf] = (seq, profile_id)
        return profile_id
    return known[1]
