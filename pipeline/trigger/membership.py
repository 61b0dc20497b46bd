"""Segment membership over time: publishes each entry and each exit once."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from pipeline.profile.fold import consent_of, contact_of, permits
from pipeline.profile.ledger import Ledger
from pipeline.profile.publish import json_text
from pipeline.profile.records import SegmentChange
from pipeline.profile.row import FOREVER, Membership, ProfileRow
from pipeline.segment.facts import Facts
from pipeline.segment.segments import Segments

ENTERED: Final = "entered"
EXITED: Final = "exited"
MARKETING: Final = "marketing"
"""The consent purpose of segment changes. They carry a contact field only if that use is not denied."""
_CHANNELS: Final = {"email": "email", "phone": "sms"}
"""Contact field to consent channel. For the other fields, the consent to the purpose as a whole decides."""


class SegmentUpdate(NamedTuple):
    """The result of an evaluation of segments."""

    changes: list[SegmentChange]
    """A record for each segment that was entered or left."""
    waits_for_score: bool
    """Whether a segment began to wait for a score to reach a threshold."""


class Memberships:
    """Updates ``row.segments`` (membership and due time) and ``row.watch_bits`` (bookings that can change it)."""

    def __init__(self, segments: Segments) -> None:
        self._segments, self._watch_bits = segments, segments.watch_bits
        self.score_bits = segments.watch_bits.score_bits
        """The watch bits of condition parts that wait for a score to reach a threshold."""
        self._bits = {name: 1 << place for place, name in enumerate(segments.names)}
        self._other_bits = {name: ~self._watch_bits.all_bits(name) for name in segments.names}
        self._bytes = sum(map(self._watch_bits.all_bits, segments.names)).bit_length() // 8 + 1
        empty_profile = segments.evaluate([], 0)
        self._empty_watch_bits = sum(segment_state.watch_bits for segment_state in empty_profile.values()).to_bytes(
            self._bytes, "little"
        )
        satisfied = segments.mask_of(name for name, segment_state in empty_profile.items() if segment_state.inside)
        self._first_touch_mask = satisfied | segments.watch_bits.first_touch_mask

    def affected_mask(self, row: ProfileRow, changed_bits: int) -> int:
        """Returns the mask of the segments whose result these changed bits can change, in the profile's state."""
        affected = changed_bits & int.from_bytes(row.watch_bits, "little")
        return self._watch_bits.mask_of_bits(affected) if affected else 0

    def start_watching(self, row: ProfileRow) -> int:
        """Initialises a new profile's watch bits. Returns the mask of segments to evaluate at its first touch.

        These are the segments an empty profile already belongs to and those whose due time begins with that touch.
        """
        row.watch_bits = self._empty_watch_bits
        return self._first_touch_mask

    def due(self, row: ProfileRow, as_of_ms: int) -> int:
        """Returns the mask of the segments that are due at a moment."""
        mask = 0
        for name, membership in row.segments.items():
            if membership.due_ms <= as_of_ms:
                mask |= self._bits[name]
        return mask

    def update(self, profile_id: str, row: ProfileRow, facts: Facts, mask: int) -> SegmentUpdate:
        """Evaluates the segments of a mask. Stores membership, due time and watch bits in the row."""
        segments, as_of_ms, other_bits = row.segments, facts.as_of_ms, self._other_bits
        undeclared = segments.keys() - self._bits.keys() if mask < 0 else ()
        changed = [name for name in undeclared if segments[name].inside]
        before = watch_bits = int.from_bytes(row.watch_bits, "little") if mask > 0 else 0
        for name, state_of in self._segments.functions(mask):
            inside, due_ms, new_bits = state_of(facts)
            watch_bits = watch_bits & other_bits[name] | new_bits
            membership = segments.get(name)
            if membership is None:
                if not inside and due_ms >= FOREVER:
                    continue  # outside, and time alone cannot change that: nothing to store
                membership = segments[name] = Membership()
            membership.due_ms = max(due_ms, as_of_ms + 1)
            if membership.inside is not inside:
                changed.append(name)
        changes = _flips(profile_id, row, changed, facts)
        for name in undeclared:
            del segments[name]
        row.watch_bits = watch_bits.to_bytes(self._bytes, "little")
        return SegmentUpdate(changes, bool(watch_bits & ~before & self.score_bits))

    def leave_all(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[SegmentChange]:
        """Ends all memberships of a profile without ledgers. Returns a record for each."""
        for membership in row.segments.values():
            membership.due_ms = FOREVER
        left = [name for name, membership in row.segments.items() if membership.inside]
        return _flips(profile_id, row, left, Facts(row.ledgers(), as_of_ms))


def _flips(profile_id: str, row: ProfileRow, names: Sequence[str], facts: Facts) -> list[SegmentChange]:
    """Inverts memberships. Returns the record of each change."""
    if not names:
        return []
    contact = json_text(reachable(facts.ledgers))
    return [_flip(profile_id, row, name, facts.as_of_ms, contact) for name in names]


def _flip(profile_id: str, row: ProfileRow, name: str, as_of_ms: int, contact: str) -> SegmentChange:
    """Inverts a membership. Returns the record of the change, whose event id is the same in every replay."""
    membership = row.segments[name]
    membership.inside, membership.changes = not membership.inside, membership.changes + 1
    made_of = "\n".join((row.tenant, profile_id, name, str(membership.changes)))
    return SegmentChange(
        event_id=sha256(made_of.encode()).hexdigest()[:32],
        tenant=row.tenant,
        profile_id=profile_id,
        segment=name,
        change=ENTERED if membership.inside else EXITED,
        timestamp_ms=as_of_ms,
        contact=contact,
    )


def reachable(ledgers: Sequence[Ledger]) -> dict[str, str]:
    """Returns the contact fields whose use for marketing is not denied."""
    consent = consent_of(ledgers)
    if not consent:
        return contact_of(ledgers)
    return {
        field: value
        for field, value in contact_of(ledgers).items()
        if permits(consent, _purpose(field), must_be_granted=False)
    }


def _purpose(field: str) -> str:
    return f"{MARKETING}/{_CHANNELS[field]}" if field in _CHANNELS else MARKETING
