"""Profiles that wait for the answer to a move, and their records meanwhile.

STITCH sends a move to both profiles. The target must not go on before it has the ledgers, or it would decide without
touches that are older. So its records wait, in their order, until the source has answered. Other profiles go on.

No profile waits for ever: a source that waits itself still answers moves that STITCH decided before the one it awaits,
so the move with the least number is always answered.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Final

import msgspec

from pipeline.profile.messages import Carry, Message, Move
from pipeline.state import layout
from pipeline.state.store import Change, PartitionStore
from pipeline.stream.gate import END, HeldRecord
from pipeline.stream.order import time_of

_SEPARATOR: Final = b"\0"


class AwaitedMove(msgspec.Struct, array_like=True, gc=False):
    """The move whose answer a profile awaits."""

    seq: int
    source: str
    time_ms: int
    """Its place in event time, before which the profile has decided everything."""


_encode = msgspec.msgpack.Encoder().encode
_decode_move, _decode_record = msgspec.msgpack.Decoder(AwaitedMove).decode, msgspec.msgpack.Decoder(HeldRecord).decode


class WaitingProfiles:
    """A view of the profiles that wait, all of them in memory: few wait, and each only for a commit or two."""

    family = layout.WAITING

    def __init__(self, store: PartitionStore) -> None:
        self._store = store
        self._awaited: dict[str, AwaitedMove] = {}
        self._records: dict[str, list[tuple[bytes, HeldRecord]]] = {}
        """By profile, the waiting records with their keys, in order."""
        self._changed: dict[bytes, bytes | None] = {}
        self.forget()

    def __bool__(self) -> bool:
        """Returns whether any profile waits."""
        return bool(self._awaited)

    def count(self) -> int:
        """Returns the number of records that wait with their profiles."""
        return sum(map(len, self._records.values()))

    @property
    def before_ms(self) -> int:
        """Returns the event time before which no profile waits, in ms since 1970."""
        return min((move.time_ms for move in self._awaited.values()), default=END) - 1

    def must_wait(self, profile_id: str, message: Message) -> bool:
        """Returns whether a message to a profile has to wait."""
        awaited = self._awaited.get(profile_id)
        if awaited is None or self.is_answer(profile_id, message):
            return False
        return not (isinstance(message, Move) and message.source == profile_id and message.seq < awaited.seq)

    def is_answer(self, profile_id: str, message: Message) -> bool:
        """Returns whether the message belongs to the answer that the profile awaits."""
        awaited = self._awaited.get(profile_id)
        return isinstance(message, Carry) and awaited is not None and (message.seq, message.source) == (
            awaited.seq, awaited.source
        )  # fmt: skip

    def begin(self, profile_id: str, move: Move, place: bytes) -> None:
        """Makes the profile wait for the answer to a move."""
        self._awaited[profile_id] = awaited = AwaitedMove(move.seq, move.source, time_of(place))
        self._changed[_key(profile_id)] = _encode(awaited)

    def keep(self, profile_id: str, record: HeldRecord) -> None:
        """Adds a record that waits."""
        key = _key(profile_id, record)
        insort(self._records.setdefault(profile_id, []), (key, record), key=lambda item: item[0])
        self._changed[key] = _encode(record)

    def end(self, profile_id: str) -> list[HeldRecord]:
        """Ends the waiting of a profile. Returns its records in order; keep those that still have to wait."""
        del self._awaited[profile_id]
        records = self._records.pop(profile_id, [])
        self._changed[_key(profile_id)] = None
        self._changed.update((key, None) for key, _ in records)
        return [record for _, record in records]

    def changes(self) -> Iterator[Change]:
        """Yields the rows changed since the last commit."""
        for key, row in self._changed.items():
            yield Change(self.family, key, row)

    def committed(self) -> None:
        """Called after the result of :meth:`changes` has become durable."""
        self._changed = {}

    def forget(self) -> None:
        """Reads the committed rows again: the unit of work was aborted."""
        self._awaited, self._records, self._changed = {}, {}, {}
        for key, row in self._store.scan(self.family):
            name, _, place = key.partition(_SEPARATOR)
            profile_id = name.decode()
            if place:
                self._records.setdefault(profile_id, []).append((key, _decode_record(row)))
            else:
                self._awaited[profile_id] = _decode_move(row)


def _key(profile_id: str, record: HeldRecord | None = None) -> bytes:
    prefix = profile_id.encode() + _SEPARATOR
    return prefix if record is None else prefix + record.place + _SEPARATOR + record.of_offset.to_bytes(8)
