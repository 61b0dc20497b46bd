"""ROUTE over empty in-memory tables, for invented leads."""

from collections.abc import Sequence

from pipeline.profile.records import Lead
from pipeline.route.router import Routed, Router
from pipeline.route.state import RouteTables
from pipeline.rules.model import Rules
from pipeline.testing.table import MemoryTable


def route_leads(rules: Rules, leads: Sequence[Lead], now_ms: int) -> list[Routed]:
    """Returns each lead's routing, in order, from an empty state. Earlier leads count towards a team's shares."""
    strong = [kind.name for kind in rules.identity.types if kind.strong]
    tables = RouteTables(MemoryTable(), MemoryTable(), MemoryTable(), MemoryTable())
    return Router(rules.routing, strong, tables).on_leads(leads, now_ms)
