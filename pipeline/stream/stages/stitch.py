"""STITCH: reads links and commands; writes assignments, moves and the public log of identity changes."""

from collections.abc import Iterator, Sequence
from itertools import count, groupby

import msgspec

from pipeline.event.identifier import key_of, split_key, type_of
from pipeline.event.reason import Reason
from pipeline.identity.effects import StitchEffects
from pipeline.identity.erasure import cleaned_node, remaining_contests
from pipeline.identity.faults import fault_of
from pipeline.identity.messages import Command, Link
from pipeline.identity.net_moves import net_moves
from pipeline.identity.state import Counter, Node, StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.kafka.record import Header, Record
from pipeline.obs import metrics as m
from pipeline.obs.log import logger
from pipeline.state import layout
from pipeline.state.partition import PartitionState, View
from pipeline.state.store import PartitionStore
from pipeline.state.tenants import TenantViews
from pipeline.state.view import row_decoder
from pipeline.stream.erasing import CleanedTable, Eraser, key_of_marking
from pipeline.stream.gate import MAX_RELEASED, Gate
from pipeline.stream.order import Phase, arrival, cause_of, following, in_order
from pipeline.stream.stages.base import Context, StageSpec
from pipeline.stream.stages.gated import GatedStage
from pipeline.stream.stages.internal import InternalReader
from pipeline.stream.watermark import WatermarkSender, source_of
from pipeline.topics import ASSIGNMENTS, CHANGES, INPUTS, MARKS, TOUCHES, StageName

log = logger(__name__)
_decode_node = row_decoder(layout.NODES, Node)
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Link | Command).decode


class StitchStage(GatedStage):
    """Passes links of one partition to one :class:`~pipeline.identity.stitch.Stitcher` per tenant."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:
        rows = context.cached_rows
        self._nodes = TenantViews(layout.NODES, store, Node, rows)
        self._counters = TenantViews(layout.COUNTERS, store, Counter, rows)
        self._reader = InternalReader(context, StageName.STITCH, _decode, fault_of)
        gate = Gate(context, StageName.INTAKE, store, self._reader)
        self._eraser = Eraser(
            context, (StageName.STITCH, partition), store, {layout.NODES: self._mentions_erased}, self._clean_rows
        )
        views: list[View] = [self._nodes, self._counters, *gate.views, self._eraser.view]
        super().__init__(context, PartitionState(store, views), gate)
        self._stitchers: dict[str, Stitcher] = {}
        self._progress = WatermarkSender(context, source_of(StageName.STITCH, partition), ASSIGNMENTS)

    def before_commit(self) -> None:
        """Sends the watermark, if there is one."""
        if not self._gate.is_open:
            self._progress.send(self._gate.passed_ms)

    def _release(self) -> int:
        """Passes on the records of one event together."""
        released = self._gate.release(MAX_RELEASED)
        for cause, records in groupby(released, key=lambda record: cause_of(record.place)):
            self._process(list(records), cause)
        return len(released)

    def _process(self, records: Sequence[Record], cause: bytes | None = None) -> None:
        now_ms = self._context.clock()
        messages = [message for _, message in self._reader.read(records)]
        for tenant, run in groupby(messages, key=lambda message: message.tenant):
            self._perform(tenant, self._stitcher(tenant).on_links(list(run), now_ms), cause)

    def _stitcher(self, tenant: str) -> Stitcher:
        stitcher = self._stitchers.get(tenant)
        if stitcher is None:
            marks = self._eraser.view
            nodes = CleanedTable(
                self._nodes.of(tenant), marks.unswept, lambda _, node: cleaned_node(tenant, node, marks.unswept)
            )
            tables = StitchTables(nodes, self._counters.of(tenant))
            stitcher = self._stitchers[tenant] = Stitcher(
                tenant, self._context.rules.identity, tables, marks, self._eraser.note
            )
        return stitcher

    def tick(self, now_ms: int | None = None) -> int:
        """Passes on records that may pass the gate, and sweeps rows after an erasure. Returns how many."""
        return self._eraser.tick() + super().tick(now_ms)

    @property
    def has_work(self) -> bool:
        """Returns whether records may wait at the gate, or rows are being swept."""
        return super().has_work or self._eraser.has_work

    def _mentions_erased(self, key: bytes, value: bytes) -> bool:
        tenant, _ = split_key(key.decode())
        node, unswept = _decode_node(value), self._eraser.view.unswept
        return cleaned_node(tenant, node, unswept) is not node or remaining_contests(tenant, node, unswept) is not None

    def _clean_rows(self, _family: str, keys: Sequence[bytes]) -> None:
        marking = next(iter(self._eraser.view.sweeps.values())).marking
        names = [split_key(key.decode()) for key in keys]
        for tenant, rows in groupby(names, key=lambda name: name[0]):
            cause = Command(tenant, "erase", "", "", "", "", marking.at_ms, marking.request)
            effects = self._stitcher(tenant).clean([ident for _, ident in rows], cause)
            self._perform(tenant, effects, None)

    def _perform(self, tenant: str, effects: StitchEffects, cause: bytes | None) -> None:
        """Publishes the effects; those of one event (``cause``) in its place in event time."""
        emit, encode, encode_change = self._emit, _encode, self._context.codecs.change
        self._send_marks(effects)  # first: what is older than a mark has no effect behind it
        for ident in effects.erased:
            emit(ASSIGNMENTS, key_of(tenant, ident), None)
        places = None if cause is None else (following(cause, Phase.IDENTITY, index) for index in count())
        for ident, assignment in effects.assignments.items():
            emit(ASSIGNMENTS, key_of(tenant, ident), encode(assignment), _headers(places))
        if places is None:
            for move in effects.moves:
                emit(TOUCHES, move.source, encode(move))
            for move in effects.moves_for_target:
                emit(TOUCHES, move.target, encode(move))
        else:
            for move in net_moves(effects.moves):
                place, value = next(places), encode(msgspec.structs.replace(move, awaited=True))
                emit(TOUCHES, move.target, value, in_order(arrival(place)))
                emit(TOUCHES, move.source, value, in_order(place))
        for target, ownership in effects.ownerships:
            emit(TOUCHES, target, encode(ownership), _headers(places))
        for change in effects.changes:
            emit(CHANGES, change.profile_id, encode_change(change))
        self._count(tenant, effects)

    def _send_marks(self, effects: StitchEffects) -> None:
        for marking in effects.marks:
            key, value = key_of_marking(marking), _encode(marking)
            self._emit(MARKS, f"{marking.tenant}/{marking.request}", value)
            self._context.broadcast(ASSIGNMENTS, key, value)
            if marking.kind == "erase":
                self._context.broadcast(TOUCHES, key, value)

    def _count(self, tenant: str, effects: StitchEffects) -> None:
        """Updates metrics. Logs each identifier that stops linking, with the profile that owns it."""
        metrics, kinds = self._context.metrics, [change.change for change in effects.changes]
        for kind in set(kinds):
            metrics.add(m.IDENTITY_CHANGES, kinds.count(kind), kind)
        metrics.add(m.MERGES, kinds.count("merged"))
        metrics.add(m.MOVES, sum(len(move.anchors) for move in effects.moves))
        for change in effects.changes:
            if change.change == "quarantined" and change.reason == Reason.FIREBREAK:
                type_name = type_of(change.identifiers[0])
                metrics.add(m.FIREBREAKS, 1, type_name)
                fields = {"rule": change.rule, "profile_id": change.profile_id, "seq": change.seq}
                log.warning("identifier_quarantined", tenant=tenant, type=type_name, **fields)


def _headers(places: Iterator[bytes] | None) -> list[Header] | None:
    """Returns the headers of the next record that an event causes; None if its place in event time does not matter."""
    return None if places is None else in_order(next(places))


STITCH = StageSpec(
    StageName.STITCH,
    INPUTS[StageName.STITCH],
    (layout.NODES, layout.COUNTERS, layout.HELD, layout.WATERMARKS, layout.MARKS),
    StitchStage,
)
