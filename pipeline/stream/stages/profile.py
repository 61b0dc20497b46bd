"""PROFILE: reads touches, moves and carried ledgers; writes profile updates, segment changes and leads for ROUTE."""

from collections.abc import Sequence

import msgspec

from pipeline.kafka.record import Record
from pipeline.obs import metrics as m
from pipeline.profile.faults import fault_of
from pipeline.profile.logic import Applied, Forward, ProfileEffects, ProfileLogic
from pipeline.profile.messages import Carry, IdentifierOwnership, Move, Touch
from pipeline.profile.records import Lead, SegmentChange
from pipeline.profile.row import ProfileRow
from pipeline.rules.compiled import compiled
from pipeline.state import layout
from pipeline.state.partition import PartitionState
from pipeline.state.store import PartitionStore
from pipeline.state.timers import TimerView
from pipeline.state.view import msgpack_view
from pipeline.stream.stages.base import Context, Stage, StageSpec
from pipeline.stream.stages.internal import InternalReader
from pipeline.topics import INPUTS, LEADS, SEGMENTS, TOUCHES, UPDATES, StageName

MAX_TIMERS = 2_000
"""Timers per tick. Others wait for the next tick, so that a backlog does not delay a commit."""

_decode = msgspec.msgpack.Decoder(Touch | Move | Carry | IdentifierOwnership).decode


class ProfileStage(Stage):
    """Passes touches of a partition to :class:`~pipeline.profile.logic.ProfileLogic`. Publishes once per commit."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:  # noqa: ARG002 - as every stage
        profiles = msgpack_view(layout.PROFILES, store, ProfileRow, context.settings.cached_rows)
        self._timers = TimerView(store)
        super().__init__(context, PartitionState(store, [profiles, self._timers]))
        settings = context.settings
        self._logic = ProfileLogic(compiled(context.rules), profiles, self._timers, settings.refresh_interval_ms)
        self.newest_ms = 0
        """Event time of the newest touch, in milliseconds since the epoch: the time of the clock "stream"."""
        self._changed: dict[str, None] = {}
        self._reader = InternalReader(context, StageName.PROFILE, _decode, fault_of)
        self._encode = msgspec.msgpack.Encoder().encode

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:  # noqa: ARG002 - one topic only
        """Applies the batch. :meth:`before_commit` publishes each changed profile once."""
        messages = self._reader.read(batch)
        touched = (message.timestamp_ms for _, message in messages if type(message) is Touch)
        self.newest_ms = max(self.newest_ms, *touched, 0)
        self._perform(self._logic.apply(messages, self._now_ms()))

    def tick(self, now_ms: int | None = None) -> int:
        """Fires due timers. In a replay, timers are due by the newest event time less ``stream_lateness_ms``."""
        settings = self._context.settings
        if now_ms is None:
            replay = settings.clock == "stream"
            now_ms = max(0, self.newest_ms - settings.stream_lateness_ms) if replay else self._context.clock()
        timers = self._timers.take(now_ms, MAX_TIMERS)
        if timers:
            self._perform(self._logic.on_time(timers, now_ms))
            self._context.metrics.add(m.TIMERS, len(timers))
            self._context.metrics.observe(m.TIMER_DELAY_SECONDS, max(0, now_ms - timers[0][0]) / 1000)
        return len(timers)

    def before_commit(self) -> None:
        """Publishes every profile that has changed since the last commit."""
        if not self._changed:
            return
        effects = self._logic.evaluate(self._changed, self._now_ms())
        self._changed = {}
        encode, emit = self._context.codecs.update, self._emit
        for update in effects.updates:
            emit(UPDATES, update.profile_id, encode(update))
        self._publish_segment_changes(effects.segment_changes)
        self._send(effects.leads)
        self._count(effects)

    def _now_ms(self) -> int:
        """Returns the clock's time, or 0 in a replay: the core then uses the newest event time of each profile."""
        return 0 if self._context.settings.clock == "stream" else self._context.clock()

    def _perform(self, applied: Applied) -> None:
        self._changed.update(applied.changed)
        self._forward(applied.forwards)
        self._publish_segment_changes(applied.decided.segment_changes)
        self._send(applied.decided.leads)

    def _publish_segment_changes(self, segment_changes: Sequence[SegmentChange]) -> None:
        for change in segment_changes:
            self._emit(SEGMENTS, change.profile_id, self._context.codecs.segment(change))
            self._context.metrics.add(m.SEGMENT_CHANGES, 1, change.segment, change.change)

    def _forward(self, forwards: Sequence[Forward]) -> None:
        if not forwards:
            return
        for profile_id, message in forwards:
            self._emit(TOUCHES, profile_id, self._encode(message))
        carries = [message for _, message in forwards if isinstance(message, Carry)]
        touches = sum(isinstance(message, Touch) for _, message in forwards)
        self._context.metrics.add(m.FORWARDED, sum(len(carry.ledgers) for carry in carries), "ledger")
        self._context.metrics.add(m.FORWARDED, touches, "touch")

    def _send(self, leads: Sequence[Lead]) -> None:
        for lead in leads:
            self._emit(LEADS, lead.tenant, self._encode(lead))
            self._context.metrics.add(m.ACTIONS, 1, lead.action.trigger)

    def _count(self, effects: ProfileEffects) -> None:
        self._context.metrics.add(m.PROFILES_UPDATED, len(effects.updates))


PROFILE = StageSpec(
    StageName.PROFILE, INPUTS[StageName.PROFILE], (layout.PROFILES, layout.TIMERS), ProfileStage, has_timers=True
)
