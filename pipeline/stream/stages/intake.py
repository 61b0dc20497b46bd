"""INTAKE: reads events and assignments; writes touches, links, log-out commands, quarantined and re-keyed records."""

from collections.abc import Sequence

import msgspec

from pipeline.avro.event_columns import EventDecoder
from pipeline.avro.wire import Undecodable
from pipeline.event.anchor import AnchorRow
from pipeline.event.errors import InvalidEventError
from pipeline.event.identifier import split_key
from pipeline.event.intake import Intake, IntakeEffects, Result
from pipeline.event.reason import Reason
from pipeline.event.result import Drop, Redirect, Rejected
from pipeline.identity.evidence import logouts_of
from pipeline.identity.faults import assignment_fault
from pipeline.identity.messages import Assignment
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.kafka.dlq_headers import HEADER_PREFIX
from pipeline.kafka.record import Record
from pipeline.obs import metrics as m
from pipeline.profile.messages import touch_of
from pipeline.rules.normalisers import normalisers
from pipeline.state import layout
from pipeline.state.partition import PartitionState
from pipeline.state.seen import SeenView
from pipeline.state.store import PartitionStore
from pipeline.state.view import msgpack_view
from pipeline.stream.dlq import quarantine
from pipeline.stream.stages.base import Context, Stage, StageSpec
from pipeline.stream.stages.internal import InternalReader
from pipeline.topics import ASSIGNMENTS, EVENTS, INPUTS, LINKS, TOUCHES, StageName, Topic

REKEYED_HEADER = HEADER_PREFIX + "rekeyed"
ALIAS_HEADER = HEADER_PREFIX + "alias"
"""Marks the copy of an alias, under the key of its previous user id."""
NO_LIMIT_MS = 1 << 62
OUTCOMES = {Drop: "drop", Rejected: "dead_letter", Redirect: "redirect"}
"""Outcomes by the names that metrics use."""


class IntakeStage(Stage):
    """Passes events and assignments of one partition to :class:`~pipeline.event.intake.Intake`."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:
        settings, rules = context.settings, context.rules.intake
        if settings.clock == "stream":  # a replay's events may be of any age
            rules = msgspec.structs.replace(rules, retention_ms=NO_LIMIT_MS, dedupe_memory_ms=NO_LIMIT_MS)
        anchors = msgpack_view(layout.ANCHORS, store, AnchorRow, settings.cached_rows)
        seen = SeenView(store, rules.dedupe_window_ms, max(rules.dedupe_window_ms, rules.dedupe_memory_ms))
        super().__init__(context, PartitionState(store, [anchors, seen]))
        self._assignments = ASSIGNMENTS.of(settings.topic_prefix)
        self._topics = {topic.of(settings.topic_prefix): topic for topic in EVENTS.values()}
        self._encode = msgspec.msgpack.Encoder().encode
        self._policy = IdentityPolicy(context.rules.identity)
        decode = msgspec.msgpack.Decoder(Assignment).decode
        self._assignment_reader = InternalReader(context, StageName.INTAKE, decode, assignment_fault)
        self._intake = Intake(
            rules,
            context.rules.identifiers,
            normalisers(rules.default_country),
            anchors,
            seen,
            partition_is_right=lambda key: context.partition_of(key) == partition,
        )

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:
        """Processes records of one topic and partition, in offset order."""
        if topic == self._assignments:
            self._assigned(batch)
            return
        channel, decoder = self._context.codecs.events[topic]
        now_ms = self._context.clock()
        taken = bad = 0
        counts: dict[tuple[str, str], int] = {}
        for record in batch:
            if record.headers() is not None and _has_header(record, ALIAS_HEADER):
                self._take_alias(record, channel, decoder, now_ms)
                continue
            result = self._result_of(record, channel, decoder, now_ms)
            if isinstance(result, IntakeEffects):
                taken += 1
                self._perform(result)
                if result.alias_key:
                    headers = [*(record.headers() or []), (ALIAS_HEADER, b"1")]
                    self._emit(self._topics[topic], result.alias_key, record.value(), headers)
                continue
            bad += self._quarantine(result, record, self._topics[topic], counts)
        self._count(taken, counts)
        breaker = self._context.breaker
        breaker.count(StageName.INTAKE, topic, len(batch), bad)
        self._context.metrics.set(m.POISON_SHARE, breaker.share(StageName.INTAKE), StageName.INTAKE)

    def _result_of(self, record: Record, channel: str, decoder: EventDecoder, now_ms: int) -> Result:
        value = record.value()
        try:
            return self._intake.on_event(
                decoder.event(channel, value),
                key=(record.key() or b"").decode(errors="replace"),
                now_ms=now_ms,
                size_bytes=len(value or b""),
                rekeyed=record.headers() is not None and _has_header(record, REKEYED_HEADER),
            )
        except Undecodable as error:
            return Rejected(Reason.UNDECODABLE, str(error))
        except InvalidEventError as error:
            return Rejected(Reason.INVALID_FIELD, str(error))

    def _take_alias(self, record: Record, channel: str, decoder: EventDecoder, now_ms: int) -> None:
        value = record.value()
        try:
            event = decoder.event(channel, value)
        except (Undecodable, InvalidEventError):
            return  # the original, with the same bytes, is quarantined
        for link in self._intake.on_alias(event, now_ms=now_ms, size_bytes=len(value or b"")):
            self._emit(LINKS, link.tenant, self._encode(link))

    def _perform(self, effects: IntakeEffects) -> None:
        event = effects.event
        owner = effects.profile_id or profile_id(event.tenant, event.identifiers[0])
        self._emit(TOUCHES, owner, self._encode(touch_of(event)))
        for link in effects.links:
            self._emit(LINKS, link.tenant, self._encode(link))
        if event.name and self._policy.is_logout(event.name):
            for command in logouts_of(event, self._policy):
                self._emit(LINKS, event.tenant, self._encode(command))

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
        if isinstance(result, Redirect):
            self._emit(topic, result.key, record.value(), [*(record.headers() or []), (REKEYED_HEADER, b"1")])
        return False

    def _assigned(self, batch: Sequence[Record]) -> None:
        kept = [record for record in batch if record.value() is not None]  # not a tombstone
        for key, assignment in self._assignment_reader.read(kept):
            tenant, ident = split_key(key)
            for link in self._intake.on_assignment(tenant, ident, assignment):
                self._emit(LINKS, link.tenant, self._encode(link))

    def _count(self, taken: int, counts: dict[tuple[str, str], int]) -> None:
        metrics = self._context.metrics
        metrics.add(m.RESULTS, taken, StageName.INTAKE, "ok", "")
        for (kind, reason), count in counts.items():
            metrics.add(m.RESULTS, count, StageName.INTAKE, kind, reason)
            if kind == OUTCOMES[Rejected]:
                metrics.add(m.DLQ_RECORDS, count, StageName.INTAKE, reason)


def _has_header(record: Record, header: str) -> bool:
    return any(name == header for name, _ in record.headers() or ())


INTAKE = StageSpec(
    StageName.INTAKE,
    INPUTS[StageName.INTAKE],
    (layout.ANCHORS, layout.SEEN, layout.SEEN_BLOCKS),
    IntakeStage,
)
