"""INTAKE: reads events and assignments; writes touches, links, log-out commands, quarantined and re-keyed records."""

from collections.abc import Callable, Sequence

import msgspec

from pipeline.avro.event_columns import EventDecoder
from pipeline.avro.wire import Undecodable
from pipeline.event.alias import copy_key
from pipeline.event.anchor import AnchorRow
from pipeline.event.erasure import cleaned_anchor
from pipeline.event.errors import InvalidEventError
from pipeline.event.identifier import split_key
from pipeline.event.intake import Intake, IntakeEffects, Result
from pipeline.event.model import Event
from pipeline.event.reason import Reason
from pipeline.event.result import Drop, Redirect, Rejected
from pipeline.identity.evidence import logouts_of
from pipeline.identity.faults import assignment_fault
from pipeline.identity.messages import Assignment, Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.dlq_headers import HEADER_PREFIX, REKEYED_HEADER
from pipeline.kafka.record import Header, Record
from pipeline.obs import metrics as m
from pipeline.profile.messages import touch_of
from pipeline.rules.normalisers import normalisers
from pipeline.state import layout
from pipeline.state.partition import PartitionState
from pipeline.state.seen import SeenView
from pipeline.state.store import PartitionStore
from pipeline.state.view import msgpack_view, row_decoder
from pipeline.stream.dlq import quarantine
from pipeline.stream.erasing import CleanedTable, Eraser
from pipeline.stream.gate import MAX_RELEASED, Gate, HeldRecord
from pipeline.stream.order import Phase, cause_of, following, in_order, order
from pipeline.stream.stages.base import Context, Stage, StageSpec
from pipeline.stream.stages.event_queue import EventQueue, QueuedEvent
from pipeline.stream.stages.forwarding import Forwarding
from pipeline.stream.stages.internal import InternalReader
from pipeline.stream.watermark import WatermarkSender, source_of
from pipeline.topics import ASSIGNMENTS, EVENTS, INPUTS, LINKS, TOUCHES, StageName, Topic

ALIAS_HEADER = HEADER_PREFIX + "alias"
"""Marks the copy of an alias, under the key of its previous user id."""
NO_LIMIT_MS = 1 << 62
ALIAS_INDEX = 1 << 16
"""Place of the links of an alias's copy, behind those of the alias itself."""
EVERY_SIGHTING = -1
"""The age in ms above which a known link is passed on again: always."""
MARKS_PER_LATENESS = 16
"""Watermarks for STITCH in the event time of the lateness allowed; with more there would be many small records."""
QUEUED_TOUCH = ""
"""The topic of a touch that waits at the gate. It was not read from a topic."""
OUTCOMES = {Drop: "drop", Rejected: "dead_letter", Redirect: "redirect"}
"""Outcomes by the names that metrics use."""

_decode_anchor = row_decoder(layout.ANCHORS, AnchorRow)


class IntakeStage(Stage):
    """Passes events and assignments of one partition to :class:`~pipeline.event.intake.Intake`."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:
        settings, rules = context.settings, context.rules.intake
        self._is_wall = settings.clock == "wall"
        if not self._is_wall:  # a replay's events may be of any age, and STITCH decides in order about every sighting
            rules = msgspec.structs.replace(
                rules, retention_ms=NO_LIMIT_MS, dedupe_memory_ms=NO_LIMIT_MS, link_refresh_ms=EVERY_SIGHTING
            )
        self._anchors = msgpack_view(layout.ANCHORS, store, AnchorRow, context.cached_rows)
        sweep = {layout.ANCHORS: self._mentions_erased}
        self._eraser = Eraser(context, (StageName.INTAKE, partition), store, sweep, self._clean_rows)
        marks = self._eraser.view
        anchors = self._cleaned = CleanedTable(self._anchors, marks.unswept, self._cleaned_row)
        seen = SeenView(store, rules.dedupe_window_ms, max(rules.dedupe_window_ms, rules.dedupe_memory_ms))
        self._assignments = ASSIGNMENTS.of(settings.topic_prefix)
        self._topics = {topic.of(settings.topic_prefix): topic for topic in EVENTS.values()}
        decode = msgspec.msgpack.Decoder(Assignment).decode
        self._assignment_reader = InternalReader(context, StageName.INTAKE, decode, assignment_fault)
        self._gate = Gate(context, StageName.STITCH, store, self._assignment_reader)
        idle_seconds = settings.stream_idle_ms / 1000
        step_ms = settings.stream_lateness_ms // MARKS_PER_LATENESS
        self._forwarding = Forwarding(context, partition, self._gate.marks, step_ms)
        self.queue = EventQueue(
            store,
            self._gate.marks,
            self._topics,
            settings.stream_lateness_ms,
            idle_seconds,
            forwarders=self._forwarding.sources,
        )
        super().__init__(
            context, PartitionState(store, [self._anchors, seen, *self._gate.views, self.queue.buffer, marks])
        )
        self._became_idle = False
        """Whether an input has become idle since the last tick."""
        self._encode = msgspec.msgpack.Encoder().encode
        self._policy = IdentityPolicy(context.rules.identity)
        source = source_of(StageName.INTAKE, partition)
        self._links_progress = WatermarkSender(context, source, LINKS, step_ms)
        self._touches_progress = WatermarkSender(context, source, TOUCHES)
        self._is_home: Callable[[str], bool] = lambda key: context.partition_of(key) == partition
        self._intake = Intake(
            rules,
            context.rules.identifiers,
            normalisers(rules.default_country),
            anchors,
            seen,
            partition_is_right=self._is_home,
            marks=marks.known,
            remembered=context.cached_rows,
        )
        self._decide = self._intake.on_event if self._is_wall else self._intake.accept

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:
        """Processes records of one topic and partition, in offset order; with the clock "stream", by event time."""
        if topic == self._assignments:
            self._eraser.take_in(batch)
            if self._gate.is_open:
                self._assigned(batch)
            else:
                self._gate.take_in([record for record in batch if record.value() is not None])
        elif topic == self._forwarding.topic:
            self._on_forwarded(batch)
        else:
            self._on_events(topic, batch)
        if not self._gate.is_open:
            self._release()

    def _on_events(self, topic: str, batch: Sequence[Record]) -> None:
        channel, decoder = self._context.codecs.events[topic]
        now_ms = self._context.clock()
        taken = bad = 0
        counts: dict[tuple[str, str], int] = {}
        for record in batch:
            headers = record.headers()
            if headers and _has_header(headers, ALIAS_HEADER):
                self._take_alias(record, channel, decoder, now_ms)
                continue
            rekeyed = headers is not None and _has_header(headers, REKEYED_HEADER)
            result = self._result_of(record, channel, decoder, now_ms, rekeyed)
            if isinstance(result, IntakeEffects):
                taken += 1
                self._perform(result)
                if result.alias_key:
                    self._copy_alias(record, result.alias_key, result.event)
            elif result is not None:
                bad += self._quarantine(result, record, self._topics[topic], counts)
        self._count(taken, counts)
        breaker = self._context.breaker
        breaker.count(StageName.INTAKE, topic, len(batch), bad)
        self._context.metrics.set(m.POISON_SHARE, breaker.share(StageName.INTAKE), StageName.INTAKE)

    def _result_of(
        self, record: Record, channel: str, decoder: EventDecoder, now_ms: int, rekeyed: bool
    ) -> Result | None:
        """Returns the result for one event; None if it waits for the watermark."""
        value, key = record.value(), (record.key() or b"").decode("utf-8", "replace")
        try:
            event = decoder.event(channel, value)
            decided = self._decide(event, key, now_ms, len(value or b""), rekeyed)
        except Undecodable as error:
            return Rejected(Reason.UNDECODABLE, str(error))
        except InvalidEventError as error:
            return Rejected(Reason.INVALID_FIELD, str(error))
        if isinstance(decided, Redirect) and not self._is_wall:
            if self._is_home(decided.key):
                self.queue.hold(record.topic(), record.offset(), decided.key, event)
            else:
                self.queue.note(record.topic(), event.timestamp_ms)
                self._forwarding.send(decided.key, event)
        elif decided is not None:
            return decided
        else:
            self.queue.hold(record.topic(), record.offset(), key, event)
        if previous := copy_key(event):
            self._copy_alias(record, previous, event)
        return decided if isinstance(decided, Redirect) else None

    def _copy_alias(self, record: Record, key: str, event: Event) -> None:
        """Passes an alias to the partition of its previous user id, if need be through a topic."""
        if not self._is_wall and self._is_home(key):
            self.queue.hold(record.topic(), record.offset(), key, event, is_alias_copy=True)
        elif not self._is_wall:
            self._forwarding.send(key, event, is_alias_copy=True)
        else:
            headers = [*(record.headers() or []), (ALIAS_HEADER, b"1")]
            self._emit(self._topics[record.topic()], key, record.value(), headers)

    def _take_alias(self, record: Record, channel: str, decoder: EventDecoder, now_ms: int) -> None:
        value = record.value()
        try:
            event = decoder.event(channel, value)
            accepted = self._intake.accepts_alias(event, now_ms=now_ms, size_bytes=len(value or b""))
        except (Undecodable, InvalidEventError):
            return  # the original, with the same bytes, is quarantined
        if accepted and self._is_wall:
            for link in self._intake.on_alias(event):
                self._emit(LINKS, link.tenant, self._encode(link))
        elif accepted:
            key = (record.key() or b"").decode(errors="replace")
            self.queue.hold(record.topic(), record.offset(), key, event, is_alias_copy=True)

    def _on_forwarded(self, batch: Sequence[Record]) -> None:
        """Takes in events that other partitions have accepted. With the clock "wall", a replay left them behind."""
        taken = 0
        for home, forwarded in self._forwarding.take(batch):
            event = forwarded.event
            if not self._is_wall:
                self.queue.hold_forwarded(home, event, is_alias_copy=forwarded.is_alias_copy)
            elif forwarded.is_alias_copy:
                for link in self._intake.on_alias(event):
                    self._emit(LINKS, link.tenant, self._encode(link))
            elif isinstance(result := self._intake.attribute(event, home), IntakeEffects):
                taken += 1
                self._perform(result)
        self._count(taken, {})

    def _perform(self, effects: IntakeEffects) -> None:
        event = effects.event
        owner = effects.profile_id or profile_id(event.tenant, event.identifiers[0])
        self._emit(TOUCHES, owner, self._encode(touch_of(event)))
        for message in self._links_of(effects):
            self._emit(LINKS, event.tenant, self._encode(message))

    def _links_of(self, effects: IntakeEffects) -> Sequence[Link | Command]:
        """Returns what STITCH has to know of an event: its links, and its log-outs."""
        event = effects.event
        if event.name and self._policy.is_logout(event.name):
            return [*effects.links, *logouts_of(event, self._policy)]
        return effects.links

    # Records that waited, with the clock "stream"

    def tick(self, now_ms: int | None = None) -> int:  # noqa: ARG002 - nothing here falls due
        """Passes on records whose time has come. Returns 0 if there is nothing to commit."""
        became_idle, self._became_idle = self._became_idle, False
        swept = self._eraser.tick()
        return swept + became_idle + (0 if self._gate.is_open else self._release())

    @property
    def has_work(self) -> bool:
        """Returns whether records may wait, or rows are being swept."""
        return not self._gate.is_open or self._eraser.has_work

    @property
    def held(self) -> int:
        """Returns the number of events and touches that wait."""
        return self.queue.buffer.count() + self._gate.held

    def on_silence(self, topic: str, seconds: float) -> None:
        """Counts an input no longer that has been silent for long enough."""
        if not self._is_wall and topic in self._topics:
            self._became_idle |= self.queue.on_silence(topic, seconds)

    def before_commit(self) -> None:
        """Sends the watermarks: of the links that were sent, and of the touches."""
        if not self._is_wall:
            forwarded_ms, are_inputs_idle = self.queue.forwarded_mark()
            self._forwarding.report(forwarded_ms, idle=are_inputs_idle)
            time_ms, idle = self.queue.mark()
            self._links_progress.send(time_ms, idle=idle)
            self._touches_progress.send(self._gate.passed_ms)

    def _release(self) -> int:
        """Passes on events that every input has passed, and touches that STITCH has passed. Returns how many."""
        queued = self.queue.release(MAX_RELEASED)
        taken = 0
        counts: dict[tuple[str, str], int] = {}
        for item in queued:
            if item.is_alias_copy:
                self._send_in_order(item.event, self._intake.on_alias(item.event), ALIAS_INDEX)
                continue
            result = self._intake.attribute(item.event, item.home)
            if isinstance(result, IntakeEffects):
                taken += 1
                self._pass_on(result, item)
            else:
                counts[OUTCOMES[Drop], result.reason] = counts.get((OUTCOMES[Drop], result.reason), 0) + 1
        self._count(taken, counts)
        passed = self._gate.release(MAX_RELEASED)
        for record in passed:
            if record.of_topic == QUEUED_TOUCH:
                self._send_touch(record)
            else:
                self._assigned([record])
        return len(queued) + len(passed)

    def _pass_on(self, effects: IntakeEffects, queued: QueuedEvent) -> None:
        """Sends an event's links to STITCH. Its touch waits until STITCH has decided about everything before it."""
        event = effects.event
        self._send_in_order(event, self._links_of(effects))
        place = order(event.timestamp_ms, event.event_id, Phase.TOUCH)
        value = self._encode(touch_of(event))
        self._gate.hold(HeldRecord(place, QUEUED_TOUCH, 0, queued.arrival, queued.home.encode(), value))

    def _send_in_order(self, event: Event, messages: Sequence[Link | Command], first_index: int = 0) -> None:
        """Sends what STITCH has to know of an event, with its place in the order of event time."""
        cause = cause_of(order(event.timestamp_ms, event.event_id, Phase.TOUCH))
        for index, message in enumerate(messages, first_index):
            headers = in_order(following(cause, Phase.IDENTITY, index))
            self._emit(LINKS, event.tenant, self._encode(message), headers)

    def _send_touch(self, record: HeldRecord) -> None:
        home = (record.key() or b"").decode()
        owner = self._intake.owner_of(home) or profile_id(*split_key(home))
        self._emit(TOUCHES, owner, record.value(), in_order(record.place))

    def _quarantine(
        self, result: Drop | Rejected | Redirect, record: Record, topic: Topic, counts: dict[tuple[str, str], int]
    ) -> bool:
        """Quarantines or re-keys a record that is not accepted. Returns whether the record is bad."""
        kind = OUTCOMES[type(result)]
        counts[kind, result.reason] = counts.get((kind, result.reason), 0) + 1
        if isinstance(result, Rejected):
            quarantine(self._emit, record, StageName.INTAKE, result.reason, result.detail)
            self._context.breaker.offended(record, result.reason)
            return True
        if isinstance(result, Redirect) and self._is_wall:  # a replay has forwarded it
            self._emit(topic, result.key, record.value(), [*(record.headers() or []), (REKEYED_HEADER, b"1")])
        return False

    def _assigned(self, batch: Sequence[Record]) -> None:
        kept = [record for record in batch if record.value() is not None]  # not the tombstone of an erasure
        for key, assignment in self._assignment_reader.read(kept):
            tenant, ident = split_key(key)
            for link in self._intake.on_assignment(tenant, ident, assignment):
                self._emit(LINKS, link.tenant, self._encode(link))

    # Erasures

    def _cleaned_row(self, key: str, row: AnchorRow) -> AnchorRow | None:
        return cleaned_anchor(*split_key(key), row, self._eraser.view.unswept)

    def _mentions_erased(self, key: bytes, value: bytes) -> bool:
        row = _decode_anchor(value)
        return self._cleaned_row(key.decode(), row) is not row

    def _clean_rows(self, _family: str, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._cleaned.get(key.decode())

    def _count(self, taken: int, counts: dict[tuple[str, str], int]) -> None:
        metrics = self._context.metrics
        metrics.add(m.RESULTS, taken, StageName.INTAKE, "ok", "")
        for (kind, reason), count in counts.items():
            metrics.add(m.RESULTS, count, StageName.INTAKE, kind, reason)
            if kind == OUTCOMES[Rejected]:
                metrics.add(m.DLQ_RECORDS, count, StageName.INTAKE, reason)


def _has_header(headers: Sequence[Header], header: str) -> bool:
    return any(name == header for name, _ in headers)


INTAKE = StageSpec(
    StageName.INTAKE,
    INPUTS[StageName.INTAKE],
    (
        layout.ANCHORS,
        layout.SEEN,
        layout.SEEN_BLOCKS,
        layout.HELD,
        layout.HELD_EVENTS,
        layout.WATERMARKS,
        layout.MARKS,
    ),
    IntakeStage,
)
