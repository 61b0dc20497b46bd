"""STITCH: reads links and commands; writes assignments, moves and the public log of identity changes."""

from collections.abc import Sequence
from itertools import groupby

import msgspec

from pipeline.event.identifier import key_of, type_of
from pipeline.event.reason import Reason
from pipeline.identity.effects import StitchEffects
from pipeline.identity.faults import fault_of
from pipeline.identity.messages import Command, Link
from pipeline.identity.state import Counter, Node, StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.kafka.record import Record
from pipeline.obs import metrics as m
from pipeline.obs.log import logger
from pipeline.state import layout
from pipeline.state.partition import PartitionState
from pipeline.state.store import PartitionStore
from pipeline.state.tenants import TenantViews
from pipeline.stream.stages.base import Context, Stage, StageSpec
from pipeline.stream.stages.internal import InternalReader
from pipeline.topics import ASSIGNMENTS, CHANGES, INPUTS, TOUCHES, StageName

log = logger(__name__)
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Link | Command).decode


class StitchStage(Stage):
    """Passes links of one partition to one :class:`~pipeline.identity.stitch.Stitcher` per tenant."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:  # noqa: ARG002 - as every stage
        rows = context.settings.cached_rows
        self._nodes = TenantViews(layout.NODES, store, Node, rows)
        self._counters = TenantViews(layout.COUNTERS, store, Counter, rows)
        super().__init__(context, PartitionState(store, [self._nodes, self._counters]))
        self._stitchers: dict[str, Stitcher] = {}
        self._reader = InternalReader(context, StageName.STITCH, _decode, fault_of)

    def on_batch(self, topic: str, batch: Sequence[Record]) -> None:  # noqa: ARG002 - one topic only
        """Processes links and commands in offset order, which fixes the order of a tenant's decisions."""
        now_ms = self._context.clock()
        messages = [message for _, message in self._reader.read(batch)]
        for tenant, run in groupby(messages, key=lambda message: message.tenant):
            self._perform(tenant, self._stitcher(tenant).on_links(list(run), now_ms))

    def _stitcher(self, tenant: str) -> Stitcher:
        stitcher = self._stitchers.get(tenant)
        if stitcher is None:
            tables = StitchTables(self._nodes.of(tenant), self._counters.of(tenant))
            stitcher = self._stitchers[tenant] = Stitcher(tenant, self._context.rules.identity, tables)
        return stitcher

    def _perform(self, tenant: str, effects: StitchEffects) -> None:
        emit, encode, encode_change = self._emit, _encode, self._context.codecs.change
        for ident, assignment in effects.assignments.items():
            emit(ASSIGNMENTS, key_of(tenant, ident), encode(assignment))
        for move in effects.moves:
            emit(TOUCHES, move.source, encode(move))
        for move in effects.moves_for_target:
            emit(TOUCHES, move.target, encode(move))
        for target, ownership in effects.ownerships:
            emit(TOUCHES, target, encode(ownership))
        for change in effects.changes:
            emit(CHANGES, change.profile_id, encode_change(change))
        self._count(tenant, effects)

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


STITCH = StageSpec(StageName.STITCH, INPUTS[StageName.STITCH], (layout.NODES, layout.COUNTERS), StitchStage)
