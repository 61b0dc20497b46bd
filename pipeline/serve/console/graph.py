"""A customer's graph as SVG within a page: classes take the colours of the style sheet, and other customers are links.

Colours are assigned to identifier types from strong to weak. The founder has a ring. Rejected links are dashed, and
identifiers of other customers are hollow and lead to their own graph.
"""

from typing import Any, Final, NamedTuple

from markupsafe import Markup

from pipeline.event.identifier import Identifier, type_of
from pipeline.event.reason import Reason
from pipeline.export.layout import MARGIN, Place, label_of, lay_out
from pipeline.query.graph import Graph
from pipeline.query.links import MEANING
from pipeline.serve.access.masking import masked as hidden
from pipeline.serve.console.views import CustomerGraph

RADIUS: Final = 10.0
COLOURS: Final = 8
LEAST_WIDTH: Final = 560.0
HOUSEHOLD: Final = Reason.HOUSEHOLD.value


class Row(NamedTuple):
    """A link in the table below the picture, which states in words what the picture shows."""

    strong: str
    weak: str
    facts: dict[str, Any]
    meaning: str


class Picture(NamedTuple):
    """A drawn graph."""

    svg: Markup
    kinds: list[tuple[int, str]]
    """Number of the colour and type of identifier."""
    rows: list[Row]
    rejected: int


def drawn(customer: CustomerGraph, *, masked: bool) -> Picture:
    """Returns the picture of a graph. ``masked`` hides the values of identifiers."""
    graph, kinds = customer.graph, customer.kinds
    colours = {kind: number % COLOURS for number, kind in enumerate(kinds)}
    layout = lay_out(graph)
    width = max(layout.width, LEAST_WIDTH)
    links = [_link(graph, a, b, facts, layout.places) for a, b, facts in graph.edges(data=True)]
    nodes = [
        _node(ident, facts, layout.places[ident], colours, masked=masked) for ident, facts in graph.nodes(data=True)
    ]
    start = Markup('<svg class="graph" viewBox="0 0 {} {}" role="group" aria-label="{}">').format(
        round(width), round(layout.height + MARGIN / 2), f"{len(nodes)} identifiers and {len(links)} links"
    )
    rows = [
        Row(_shown(a, masked=masked), _shown(b, masked=masked), facts, MEANING.get(facts["rejected"], ""))
        for a, b, facts in graph.edges(data=True)
    ]
    svg = start + Markup("").join([*links, *nodes]) + Markup("</svg>")
    return Picture(
        svg, [(colours[kind], kind) for kind in kinds], rows, sum(bool(row.facts["rejected"]) for row in rows)
    )


def _shown(ident: Identifier, *, masked: bool) -> Identifier:
    return str(hidden(ident, "identifier")) if masked else ident


def _link(graph: Graph, a: Identifier, b: Identifier, facts: dict[str, Any], places: dict[Identifier, Place]) -> Markup:
    one, two, reason = places[a], places[b], facts["rejected"]
    kind = "shared" if reason == HOUSEHOLD else "rejected" if reason else "asserted" if facts["asserted"] else ""
    line = Markup('<line class="edge {}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, one.x, one.y, two.x, two.y)
    if not reason or graph.nodes[a]["isolated"] or graph.nodes[b]["isolated"]:
        return line
    x, y = round((one.x + two.x) / 2, 1), round((one.y + two.y) / 2 - 5, 1)
    return line + Markup('<text class="reason" x="{}" y="{}">{}</text>').format(x, y, facts["rule"] or reason)


def _node(ident: Identifier, facts: dict[str, Any], at: Place, colours: dict[str, int], *, masked: bool) -> Markup:
    label = label_of(_shown(ident, masked=masked))
    parts = [Markup('<circle class="ring" cx="{}" cy="{}" r="14.5"/>').format(at.x, at.y)] if facts["founder"] else []
    parts.append(_shape(at, square=facts["isolated"] == HOUSEHOLD))
    parts.append(Markup('<text x="{}" y="{}">{}</text>').format(at.x, round(at.y + 27, 1), label))
    if facts["isolated"]:
        text = Markup('<text class="reason" x="{}" y="{}">{}</text>')
        parts.append(text.format(at.x, round(at.y + 39, 1), facts["isolated"]))
    side = "inside" if facts["member"] else "outside"
    group = Markup('<g class="{} k{}">{}</g>').format(side, colours[type_of(ident)], Markup("").join(parts))
    if facts["member"]:
        return group
    name = f"Walk to the customer of {type_of(ident)} {label}"
    return Markup('<a href="/customers/{}/graph" aria-label="{}">{}</a>').format(facts["profile_id"], name, group)


def _shape(at: Place, *, square: bool) -> Markup:
    if square:
        x, y, side = round(at.x - RADIUS, 1), round(at.y - RADIUS, 1), 2 * RADIUS
        return Markup('<rect class="node" x="{}" y="{}" width="{}" height="{}" rx="3"/>').format(x, y, side, side)
    return Markup('<circle class="node" cx="{}" cy="{}" r="{}"/>').format(at.x, at.y, RADIUS)
