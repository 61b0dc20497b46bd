"""PROFILE without crashes: over what it was given in the worlds' committed transactions, with one commit at the end.

So where transactions began and ended, what was thrown away and done again, and who restored what, can make no
difference. Time is an input like touches: what a stage took for now, and when a timer woke whom, are kept as they were.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pipeline.profile.logic import ProfileLogic
from pipeline.profile.messages import Carry, Move, Ownership, Touch
from pipeline.profile.ports import Decided
from pipeline.profile.row import ProfileRow
from pipeline.profile.rulebook import Rulebook
from pipeline.testing.table import MemoryTable
from pipeline.trigger.messages import lead_of
from tests.simulation.process import Deed
from tests.simulation.world import CODECS, ENCODE

MESSAGE = msgspec.msgpack.Decoder(Touch | Move | Carry | Ownership).decode


class Said(NamedTuple):
    """Everything PROFILE tells except profiles, as the bytes it sends."""

    leads: Counter[bytes]
    segment_changes: Counter[bytes]
    forwards: Counter[tuple[str, bytes]]
    """With the profile each is sent to."""


def straight_run(rules: Rulebook, deeds: Iterable[Deed], end_ms: int) -> Said:
    """What is said by ``end_ms``: the commit lives through all that is due, so a timer that was lost shows."""
    said = Said(Counter(), Counter(), Counter())
    of_partition: dict[int, list[Deed]] = {}
    for deed in deeds:
        of_partition.setdefault(deed.partition, []).append(deed)
    for found in of_partition.values():
        _run(rules, found, end_ms, said)
    return said


def _run(rules: Rulebook, deeds: list[Deed], end_ms: int, said: Said) -> None:
    table: MemoryTable[ProfileRow] = MemoryTable()
    logic = ProfileLogic(rules, table)
    for deed in deeds:
        for due_ms, profile_id in deed.timers:
            table.rows[profile_id].timer_ms = due_ms
        messages = [((record.key() or b"").decode(), MESSAGE(record.value() or b"")) for record in deed.records]
        applied = logic.apply(messages, deed.now_ms) if messages else logic.on_time(deed.timers, deed.now_ms)
        said.forwards.update((profile_id, ENCODE(message)) for profile_id, message in applied.forwards)
        _tell(applied.decided, said)
    effects = logic.evaluate(table.rows, end_ms)
    _tell(Decided(effects.actions, effects.segment_changes), said)


def _tell(decided: Decided, said: Said) -> None:
    said.leads.update(ENCODE(lead_of(action)) for action in decided.actions)
    said.segment_changes.update(CODECS.segment(change) for change in decided.segment_changes)
