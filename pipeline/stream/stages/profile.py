"""PROFILE: reads touches, moves and carried ledgers; writes profile updates, segment changes and leads for ROUTE."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from pipeline.kafka.record import Record
from pipeline.obs import metrics as m
from pipeline.profile.erasure import mentions
from pipeline.profile.faults import fault_of
from pipeline.profile.logic import Applied, Forward, ProfileLogic, Timer
from pipeline.profile.messages import Carry, Message, Move, Touch
from pipeline.profile.records import Lead, SegmentChange
from pipeline.profile.row import ProfileRow
from pipeline.rules.compiled import compiled
from pipeline.state import layout
from pipeline.state.partition import PartitionState, View
from pipeline.state.store import PartitionStore
from pipeline.state.timers import DUE_BYTES, TimerView
from pipeline.state.view import msgpack_view, row_decoder
from pipeline.state.watermarks import BEGINNING
from pipeline.stream.erasing import Eraser
from pipeline.stream.gate import MAX_RELEASED, Gate, HeldRecord
from pipeline.stream.order import Phase, after, arrival, in_order, order, time_of
from pipeline.stream.stages.base import Context, Stage, StageSpec
from pipeline.stream.stages.internal import InternalReader
from pipeline.stream.stages.waiting import WaitingProfiles
from pipeline.stream.watermark import WatermarkSender, source_of
from pipeline.topics import INPUTS, LEADS, SEGMENTS, TOUCHES, UPDATES, StageName

MAX_TIMERS = 2_000
"""Timers per tick. Others wait for the next tick, so that a backlog does not delay a commit."""

_decode = msgspec.msgpack.Decoder(Message).decode
_decode_row = row_decoder(layout.PROFILES, ProfileRow)


class ProfileStage(Stage):
    """Passes touches of a partition to :class:`~pipeline.profile.logic.ProfileLogic`. Publishes once per commit."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:
        self._profiles = msgpack_view(layout.PROFILES, store, ProfileRow, context.cached_rows)
        self._timers = TimerView(store)
        self._reader = InternalReader(context, StageName.PROFILE, _decode, fault_of)
        self._gate = Gate(context, StageName.INTAKE, store, self._reader)
        self._waiting = WaitingProfiles(store)
        sweep = {layout.PROFILES: self._mentions_erased, layout.TIMERS: self._is_orphan}
        self._stored = store.family(layout.PROFILES)
        self._gone: set[str] = set()
        """Profiles that this process has deleted."""
        self._eraser = Eraser(context, (StageName.PROFILE, partition), store, sweep, self._clean_rows)
        marks, self._source = self._eraser.view, str(partition)
        views: list[View] = [self._profiles, self._timers, *self._gate.views, self._waiting, marks]
        super().__init__(context, PartitionState(store, views))
        settings = context.settings
        self._logic = ProfileLogic(
            compiled(context.rules), self._profiles, self._timers, settings.refresh_interval_ms, marks
        )
        self.newest_ms = 0
        """Event time of the newest touch of this process, in ms since 1970."""
        self._fired_ms = BEGINNING
        """The event time up to which all timers have fired, with the clock "stream"."""
        self._progress = WatermarkSender(context, source_of(StageName.PROFILE, partition), LEADS)
        self._changed: dict[str, None] = {}
        self._encode = msgspec.msgpack.Encoder().encode

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:  # noqa: ARG002 - one topic only
        """Applies the batch. :meth:`before_commit` publishes each changed profile once.

        With the clock "stream", applies what may pass the gate, in the order of event time.
        """
        for marking in self._eraser.take_in(batch):
            self._emit(LEADS, marking.tenant, self._encode(msgspec.structs.replace(marking, source=self._source)))
        if not (self._gate.is_open and not self._waiting):
            self._gate.take_in(batch)
            self._release()
            return
        messages = self._reader.read(batch)
        touched = [message.timestamp_ms for _, message in messages if type(message) is Touch]
        self.newest_ms = max(self.newest_ms, *touched, 0)
        self._perform(self._apply(messages, self._now_ms()))

    def tick(self, now_ms: int | None = None) -> int:
        """Passes on records that may pass the gate, then fires due timers. Returns 0 if there is nothing to commit.

        With the clock "stream", timers are due by the time up to which no record waits.
        """
        released = self._eraser.tick() + (0 if self._gate.is_open else self._release())
        if released >= MAX_RELEASED:
            return released
        if now_ms is None:
            now_ms = self._context.clock() if self._is_wall else self._decided_ms()
        timers = self._timers.take(now_ms, MAX_TIMERS)
        has_advanced = not self._is_wall and now_ms > self._fired_ms and len(timers) < MAX_TIMERS
        if has_advanced:
            self._fired_ms = now_ms
        if timers:
            self._perform(self._on_time(timers, now_ms))
            self._context.metrics.add(m.TIMERS, len(timers))
            self._context.metrics.observe(m.TIMER_DELAY_SECONDS, max(0, now_ms - timers[0][0]) / 1000)
        return released + len(timers) + has_advanced

    @property
    def has_work(self) -> bool:
        """Returns True: there may be timers."""
        return True

    @property
    def held(self) -> int:
        """Returns the number of records that wait. Timers of a replay that were not looked through yet count as one."""
        has_timers = not self._is_wall and self._decided_ms() > self._fired_ms
        return self._gate.held + self._waiting.count() + has_timers

    @property
    def _is_wall(self) -> bool:
        return self._context.settings.clock == "wall"

    def _decided_ms(self) -> int:
        """Returns the event time up to which everything is decided but timers, with the clock "stream"."""
        return min(self._gate.passed_ms, self._waiting.before_ms)

    # Released records, with the clock "stream"

    def _release(self) -> int:
        """Applies records that may pass the gate. Returns how many."""
        records = self._gate.release(MAX_RELEASED)
        for record in records:
            self._pass(record)
        return len(records)

    def _pass(self, record: HeldRecord) -> None:
        """Applies a record, or lets it wait with its profile."""
        for profile_id, message in self._reader.read([record]):
            if self._waiting.must_wait(profile_id, message):
                self._waiting.keep(profile_id, record)
                continue
            answered = self._waiting.is_answer(profile_id, message)
            if isinstance(message, Touch):
                self.newest_ms = max(self.newest_ms, message.timestamp_ms)
            applied = self._apply([(profile_id, message)], max(0, time_of(record.place)))
            is_move = isinstance(message, Move)
            self._perform(applied, arrival(record.place) if is_move else record.place)
            if is_move and message.awaited and message.target == profile_id:
                self._waiting.begin(profile_id, message, record.place)
            if answered and isinstance(message, Carry) and not message.more:
                for waiting in self._waiting.end(profile_id):
                    self._pass(waiting)

    def _apply(self, messages: Sequence[tuple[str, Message]], now_ms: int) -> Applied:
        return self._logic.apply(messages, now_ms)

    def _on_time(self, timers: Sequence[Timer], now_ms: int) -> Applied:
        return self._logic.on_time(timers, now_ms)

    def before_commit(self) -> None:
        """Publishes every profile that has changed since the last commit, and sends the watermark if there is one."""
        if self._changed:
            self._publish()
        if not self._is_wall:
            self._progress.send(min(self._fired_ms, self._waiting.before_ms))

    def _publish(self) -> None:
        changed, self._changed = self._changed, {}
        now_ms, encode, emit = self._now_ms(), self._context.codecs.update, self._emit
        published = 0
        for profile_id in changed:
            effects = self._logic.evaluate((profile_id,), now_ms)
            for update in effects.updates:
                emit(UPDATES, profile_id, encode(update))
            self._publish_segment_changes(effects.segment_changes)
            self._send(effects.leads)
            self._profiles.encode_now(profile_id)
            published += len(effects.updates)
        self._context.metrics.add(m.PROFILES_UPDATED, published)

    def _now_ms(self) -> int:
        """Returns the clock's time, or 0 in a replay: the core then uses the newest event time of each profile."""
        return 0 if self._context.settings.clock == "stream" else self._context.clock()

    def _perform(self, applied: Applied, place: bytes | None = None) -> None:
        """Publishes the effects of a batch, or of the record at a place in event time."""
        self._changed.update(applied.changed)
        for profile_id in applied.erased:
            self._emit(UPDATES, profile_id, None)
            self._gone.add(profile_id)
        self._forward(applied.forwards, place)
        self._publish_segment_changes(applied.decided.segment_changes)
        self._send(applied.decided.leads)

    def _publish_segment_changes(self, segment_changes: Sequence[SegmentChange]) -> None:
        if not segment_changes:
            return
        encode, emit = self._context.codecs.segment, self._emit
        for change in segment_changes:
            emit(SEGMENTS, change.profile_id, encode(change))
        for (segment, name), count in Counter((change.segment, change.change) for change in segment_changes).items():
            self._context.metrics.add(m.SEGMENT_CHANGES, count, segment, name)

    def _mentions_erased(self, key: bytes, value: bytes) -> bool:
        return mentions(key.decode(), _decode_row(value), self._eraser.view.unswept)

    def _is_orphan(self, key: bytes, _value: bytes) -> bool:
        """Returns whether a timer is that of a deleted profile: a superseded one, which its row did not name."""
        name = key[DUE_BYTES:]
        if name.decode() in self._gone:
            return self._profiles.get(name.decode()) is None
        return self._stored.get(name) is None

    def _clean_rows(self, family: str, keys: Sequence[bytes]) -> None:
        if family == layout.TIMERS:
            for key in keys:
                self._timers.cancel(int.from_bytes(key[:DUE_BYTES]), key[DUE_BYTES:].decode())
        else:
            self._perform(self._logic.clean([key.decode() for key in keys], self._now_ms()))

    def _forward(self, forwards: Sequence[Forward], place: bytes | None) -> None:
        if not forwards:
            return
        headers = None if place is None else in_order(after(place))
        for profile_id, message in forwards:
            self._emit(TOUCHES, profile_id, self._encode(message), headers)
        carries = [message for _, message in forwards if isinstance(message, Carry)]
        touches = sum(isinstance(message, Touch) for _, message in forwards)
        self._context.metrics.add(m.FORWARDED, sum(len(carry.ledgers) for carry in carries), "ledger")
        self._context.metrics.add(m.FORWARDED, touches, "touch")

    def _send(self, leads: Sequence[Lead]) -> None:
        for lead in leads:
            self._emit(LEADS, lead.tenant, self._encode(lead), None if self._is_wall else in_order(_place(lead)))
            self._context.metrics.add(m.ACTIONS, 1, lead.action.trigger)


def _place(lead: Lead) -> bytes:
    """Returns a lead's order in event time. Of one action at one time, the lead comes before its duplicates."""
    action = lead.action
    return order(action.timestamp_ms, action.action_id, Phase.IDENTITY if action.duplicate_of else Phase.TOUCH)


PROFILE = StageSpec(
    StageName.PROFILE,
    INPUTS[StageName.PROFILE],
    (layout.PROFILES, layout.TIMERS, layout.HELD, layout.WATERMARKS, layout.WAITING, layout.MARKS),
    ProfileStage,
)
