"""The live overview: totals, rates of the stages, what happens now. Its parts are polled."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from pipeline.serve.console.guard import Visit
from pipeline.serve.console.views import Sample

FEED: Final = 20
MOVES: Final = 8
HOTTEST: Final = 8
LINES: Final = ("intake", "stitch", "profile", "route")


def overview(visit: Visit) -> Response:
    """Returns the page."""
    return visit.page("overview.html", **_values(visit))


def live(visit: Visit) -> Response:
    """Returns the parts that change."""
    return visit.page("overview_live.html", **_values(visit))


def _values(visit: Visit) -> dict[str, Any]:
    data, tenant = visit.console.data, visit.user.tenant
    samples = data.pulse.samples()
    return {
        "totals": data.overview.totals(tenant),
        "happenings": data.overview.happenings(tenant, FEED),
        "moves": data.overview.segment_moves(tenant, MOVES),
        "hottest": data.overview.hottest(tenant, HOTTEST),
        "flows": samples[-1].flows if samples else (),
        "series": rates(samples),
    }


def rates(samples: Sequence[Sample]) -> list[list[float | None]]:
    """Returns the chart's columns: the times in seconds, then events per second of each stage."""
    lines = [[_rate(sample, name) for sample in samples] for name in LINES]
    return [[sample.at_ms / 1000 for sample in samples], *lines]


def _rate(sample: Sample, stage: str) -> float | None:
    return next((round(flow.per_second, 1) for flow in sample.flows if flow.stage == stage), None)
