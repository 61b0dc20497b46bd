"""A reference run: PROFILE without crashes, on the inputs of a world's committed transactions, with one commit.

A world must have the same output, so transaction boundaries, aborted work and restores make no difference. Time is an
input like touches: the run uses the recorded current time of every batch and the recorded timers.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.logic import ProfileLogic, Timer
from pipeline.profile.messages import Carry, IdentifierOwnership, Move, Touch
from pipeline.profile.ports import Decided
from pipeline.profile.row import ProfileRow
from pipeline.testing.table import MemoryTable
from tests.simulation.batches import ProcessedBatch
from tests.simulation.world import CODECS, ENCODE

MESSAGE = msgspec.msgpack.Decoder(Touch | Move | Carry | IdentifierOwnership).decode


class ReferenceOutput(NamedTuple):
    """All output of PROFILE except profile updates, as bytes."""

    leads: Counter[bytes]
    segment_changes: Counter[bytes]
    forwards: Counter[tuple[str, bytes]]
    """With the profile each is sent to."""


def reference_run(rules: CompiledRules, batches: Iterable[ProcessedBatch], end_ms: int) -> ReferenceOutput:
    """The output up to ``end_ms``. The commit processes everything due, so a lost timer is detected."""
    output = ReferenceOutput(Counter(), Counter(), Counter())
    of_partition: dict[int, list[ProcessedBatch]] = {}
    for batch in batches:
        of_partition.setdefault(batch.partition, []).append(batch)
    for result in of_partition.values():
        _run(rules, result, end_ms, output)
    return output


def _run(rules: CompiledRules, batches: list[ProcessedBatch], end_ms: int, output: ReferenceOutput) -> None:
    table: MemoryTable[ProfileRow] = MemoryTable()
    logic = ProfileLogic(rules, table)
    for batch in batches:
        _fire_when_due(logic, table, batch.timers, output)
        for due_ms, profile_id in batch.timers:
            table.rows[profile_id].schedule.timer_ms = due_ms
        messages = batch.messages
        applied = logic.apply(messages, batch.now_ms) if messages else logic.on_time(batch.timers, batch.now_ms)
        output.forwards.update((profile_id, ENCODE(message)) for profile_id, message in applied.forwards)
        _collect(applied.decided, output)
    effects = logic.evaluate(table.rows, end_ms)
    _collect(Decided(effects.leads, effects.segment_changes), output)


def _fire_when_due(
    logic: ProfileLogic, table: MemoryTable[ProfileRow], timers: Iterable[Timer], output: ReferenceOutput
) -> None:
    """Decides as of each timer's due time. The later decision as of the batch's time must add nothing to it."""
    for due_ms, profile_id in timers:
        table.rows[profile_id].schedule.timer_ms = due_ms
        _collect(logic.on_time([(due_ms, profile_id)], due_ms).decided, output)


def _collect(decided: Decided, output: ReferenceOutput) -> None:
    output.leads.update(ENCODE(lead) for lead in decided.leads)
    output.segment_changes.update(CODECS.segment(change) for change in decided.segment_changes)
