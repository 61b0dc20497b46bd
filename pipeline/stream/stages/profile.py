"""PROFILE: touches, moves and carried ledgers in; profile updates, segment changes and leads for ROUTE out."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.obs import metrics as m
from pipeline.profile.logic import Forward, ProfileEffects, ProfileLogic
from pipeline.profile.messages import Carry, Move, Touch
from pipeline.profile.row import ProfileRow
from pipeline.state import layout
from pipeline.state.partition import PartitionState
from pipeline.state.store import PartitionStore
from pipeline.state.view import msgpack_view
from pipeline.stream.record import Record
from pipeline.stream.stages.base import Context, StageSpec
from pipeline.topics import LEADS, SEGMENTS, TOUCHES, UPDATES
from pipeline.trigger.messages import lead_of
from pipeline.trigger.rulebook import compile_rules

NAME = "profile"


class ProfileStage:
    """Touches of one partition through :class:`~pipeline.profile.logic.ProfileLogic`; updates once per commit."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:  # noqa: ARG002 - as every stage
        profiles = msgpack_view(layout.PROFILES, store, ProfileRow, context.settings.cached_rows)
        self.state = PartitionState(store, [profiles])
        self._context, self._emit = context, context.emit
        rules = context.rules
        self._logic = ProfileLogic(compile_rules(rules.aggregates, rules.scores, rules.triggers), profiles)
        self._changed: dict[str, None] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Touch | Move | Carry).decode

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:  # noqa: ARG002 - one topic only
        """Book the batch; profiles it changed are published before the commit, once each."""
        messages = [
            (key.decode(), self._decode(value))
            for record in batch
            if (key := record.key()) is not None and (value := record.value()) is not None
        ]
        applied = self._logic.apply(messages, self._now_ms())
        self._changed.update(applied.changed)
        self._forward(applied.forwards)
        self._act(applied.actions)

    def before_commit(self) -> None:
        """Publish every profile that changed since the last commit."""
        if not self._changed:
            return
        effects = self._logic.evaluate(self._changed, self._now_ms())
        self._changed = {}
        codecs, emit = self._context.codecs, self._emit
        for update in effects.updates:
            emit(UPDATES, update["profile_id"], codecs.update(update))
        for change in effects.segment_changes:
            emit(SEGMENTS, change["profile_id"], codecs.segment(change))
            self._context.metrics.add(m.SEGMENT_CHANGES, 1, change["segment"], change["change"])
        self._forward(effects.forwards)
        self._act(effects.actions)
        self._count(effects)

    def _now_ms(self) -> int:
        """0 in a replay: the core then takes each profile's own newest event for now."""
        return 0 if self._context.settings.clock == "stream" else self._context.clock()

    def _forward(self, forwards: Sequence[Forward]) -> None:
        for profile_id, message in forwards:
            self._emit(TOUCHES, profile_id, self._encode(message))
        carried = sum(isinstance(message, Carry) for _, message in forwards)
        self._context.metrics.add(m.FORWARDED, carried, "ledger")
        self._context.metrics.add(m.FORWARDED, len(forwards) - carried, "touch")

    def _act(self, actions: Sequence[dict[str, Any]]) -> None:
        for action in actions:
            self._emit(LEADS, str(action["tenant"]), self._encode(lead_of(action)))
            self._context.metrics.add(m.ACTIONS, 1, str(action["trigger"]))

    def _count(self, effects: ProfileEffects) -> None:
        self._context.metrics.add(m.PROFILES_UPDATED, len(effects.updates))


PROFILE = StageSpec(NAME, (TOUCHES,), (layout.PROFILES,), ProfileStage)
