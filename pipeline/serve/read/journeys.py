"""The attribution report: a fold over all profiles' ledgers."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, select

from pipeline.errors import MisuseError
from pipeline.profile.journey.credit import MODELS
from pipeline.profile.row import ProfileRow
from pipeline.query.attribution import By, attribution_report, report_view
from pipeline.query.profiles import decode_row
from pipeline.serve.model import tables
from pipeline.serve.read.context import ReadContext

BATCH: Final = 500


class UnknownNameError(MisuseError, ValueError):
    """There is no such model, or no such conversion. Operator action: name one of the message."""


class AttributionReads:
    """Reads the attribution report."""

    def __init__(self, context: ReadContext) -> None:
        self._context = context

    def report(
        self, tenant: str, *, model: str = "linear", by: By = "campaign", conversion: str = ""
    ) -> dict[str, Any]:
        """Returns credit, revenue and cost over all profiles of a tenant. Takes about 50 µs for each.

        Raises:
            UnknownNameError: there is no such model or conversion, or the rules declare no conversions.
        """
        rules = self._context.rules.journeys.attribution
        names = [item.name for item in rules.conversions] if rules is not None else []
        if rules is None or not names:
            message = "no conversions are declared: add attribution with conversions to journeys.yaml"
            raise UnknownNameError(message)
        for chosen, known, kind in ((model, MODELS, "model"), (conversion, ["", *names], "conversion")):
            if chosen not in known:
                message = f"there is no {kind} {chosen[:100]!r}; write one of {', '.join(filter(None, known))}"
                raise UnknownNameError(message)
        with self._context.store.reading() as connection:
            rows = _all_rows(connection, tenant)
            return report_view(attribution_report(rows, rules, model, by, conversion))


def _all_rows(connection: Connection, tenant: str) -> Iterator[tuple[str, ProfileRow]]:
    """Yields every current profile of a tenant, in the order of ids, a batch at a time."""
    states = tables.profile_states.c
    query = select(states.profile_id, states.state).where(states.tenant == tenant, states.is_current)
    query, last = query.order_by(states.profile_id).limit(BATCH), ""
    while batch := connection.execute(query.where(states.profile_id > last)).all():
        for profile_id, state in batch:
            yield profile_id, decode_row(state)
        last = batch[-1].profile_id
