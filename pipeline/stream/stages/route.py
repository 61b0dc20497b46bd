"""ROUTE: reads leads from PROFILE; writes CRM actions with an owner and the reason for it."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import msgspec

from pipeline.event.erasure import Marking, is_erased
from pipeline.event.identifier import split_key
from pipeline.kafka.record import Record
from pipeline.obs import metrics as m
from pipeline.profile.faults import lead_fault
from pipeline.profile.records import Lead
from pipeline.route.router import Routed, Router
from pipeline.route.state import GivenLead, Load, Owner, RouteTables, TeamRow
from pipeline.state import layout
from pipeline.state.partition import PartitionState, View
from pipeline.state.store import PartitionStore
from pipeline.state.tenants import TenantViews
from pipeline.stream.erasing import Eraser
from pipeline.stream.gate import Gate
from pipeline.stream.stages.base import Context, StageSpec
from pipeline.stream.stages.gated import GatedStage
from pipeline.stream.stages.internal import InternalReader
from pipeline.topics import ACTIONS, INPUTS, StageName

_decode = msgspec.msgpack.Decoder(Lead | Marking).decode


class RouteStage(GatedStage):
    """Passes leads of one partition to one :class:`~pipeline.route.router.Router` per tenant."""

    def __init__(self, context: Context, partition: int, store: PartitionStore) -> None:
        rows = context.cached_rows
        self._owners = TenantViews(layout.OWNERS, store, Owner, rows)
        self._leads = TenantViews(layout.LEAD_OWNERS, store, GivenLead, rows)
        self._teams = TenantViews(layout.TEAMS, store, TeamRow, rows)
        self._loads = TenantViews(layout.LOADS, store, Load, rows)
        self._reader = InternalReader(context, StageName.ROUTE, _decode, lead_fault)
        gate = Gate(context, StageName.PROFILE, store, self._reader)
        self._eraser = Eraser(
            context, (StageName.ROUTE, partition), store, {layout.OWNERS: self._mentions_erased}, self._clean_rows,
            sources=context.partitions,
        )  # fmt: skip
        views: list[View] = [self._owners, self._leads, self._teams, self._loads, *gate.views, self._eraser.view]
        super().__init__(context, PartitionState(store, views), gate)
        self._strong = [kind.name for kind in context.rules.identity.types if kind.strong]
        self._routers: dict[str, Router] = {}

    def _process(self, records: Sequence[Record]) -> None:
        now_ms = self._context.clock()
        messages = [message for _, message in self._reader.read(records)]
        for message in messages:
            if isinstance(message, Marking):
                self._eraser.note(message)
        leads = [message for message in messages if isinstance(message, Lead) and not self._is_erased(message)]
        for tenant, run in groupby(leads, key=lambda lead: lead.tenant):
            self._perform(self._router(tenant).on_leads(list(run), now_ms))

    def tick(self, now_ms: int | None = None) -> int:
        """Passes on leads that may pass the gate, and sweeps rows after an erasure. Returns how many."""
        return self._eraser.tick() + super().tick(now_ms)

    @property
    def has_work(self) -> bool:
        """Returns whether leads may wait at the gate, or rows are being swept."""
        return super().has_work or self._eraser.has_work

    def _is_erased(self, lead: Lead) -> bool:
        """Returns whether a lead is older than the erasure of its customer."""
        action, marks = lead.action, self._eraser.view.known
        return bool(marks) and any(
            is_erased(marks.of(lead.tenant, ident), action.timestamp_ms) for ident in action.identifiers
        )

    def _mentions_erased(self, key: bytes, _value: bytes) -> bool:
        # Whatever its age: the lead that made the row may have been decided before its partition knew of the erasure.
        mark = self._eraser.view.unswept.of(*split_key(key.decode()))
        return mark is not None

    def _clean_rows(self, _family: str, keys: Sequence[bytes]) -> None:
        for key in keys:
            tenant, ident = split_key(key.decode())
            self._owners.of(tenant).delete(ident)

    def _router(self, tenant: str) -> Router:
        router = self._routers.get(tenant)
        if router is None:
            tables = RouteTables(
                self._owners.of(tenant), self._leads.of(tenant), self._teams.of(tenant), self._loads.of(tenant)
            )
            router = self._routers[tenant] = Router(self._context.rules.routing, self._strong, tables)
        return router

    def _perform(self, routed: Sequence[Routed]) -> None:
        for action, _, _ in routed:
            self._emit(ACTIONS, action.profile_id, self._context.codecs.action(action))
        for (step, route), count in Counter((routed_lead.step, routed_lead.route) for routed_lead in routed).items():
            self._context.metrics.add(m.LEADS_ROUTED, count, step, route)


ROUTE = StageSpec(
    StageName.ROUTE,
    INPUTS[StageName.ROUTE],
    (
        layout.OWNERS,
        layout.LEAD_OWNERS,
        layout.TEAMS,
        layout.LOADS,
        layout.HELD,
        layout.WATERMARKS,
        layout.MARKS,
    ),
    RouteStage,
)
