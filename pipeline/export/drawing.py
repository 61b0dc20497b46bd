"""A customer's graph as SVG, drawn over :mod:`~pipeline.export.layout`. Output is deterministic.

Colours are assigned to identifier types from strong to weak. The founder has a ring. Rejected links are dashed, and
identifiers outside the customer are hollow. An identifier that a household shares is a square at the end of dotted
lines. Every node and link has a tooltip with its provenance.
"""

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from pipeline.event.identifier import Identifier, type_of
from pipeline.event.reason import Reason
from pipeline.export.layout import CHARACTER, MARGIN, Place, label_of, lay_out
from pipeline.identity.policy import IdentityPolicy
from pipeline.query.graph import Graph

COLOURS: Final = ("#0b5cad", "#d1495b", "#00856f", "#8e5ea2", "#d98200", "#3b9ab2", "#6b705c", "#a5a58d")
INK, FAINT, REJECTED, TIE, PAPER = "#1f2933", "#7b8794", "#c81e1e", "#486581", "#ffffff"
STROKES: Final = {"rejected": (REJECTED, "5 5"), "shared": (TIE, "1 5")}
"""Colour and dashes of rejected links and of household ties."""
HOUSEHOLD: Final = Reason.HOUSEHOLD.value
FONT: Final = "font-family:Inter,'Helvetica Neue',Arial,sans-serif"
CENTRED: Final = f'text-anchor="middle" stroke="{PAPER}" stroke-width="3.5" paint-order="stroke"'
"""Style of text with a halo in the background colour, which keeps it readable on top of a link."""
RADIUS: Final = 10.0
HEAD, FOOT = 74.0, 58.0


def draw(graph: Graph, policy: IdentityPolicy) -> str:
    """Returns the picture as SVG text."""
    places, full_width, full_height = lay_out(graph, HEAD)
    kinds = sorted({type_of(ident) for ident in graph}, key=lambda kind: policy.strength(f"{kind}:"))
    colours = {kind: COLOURS[at % len(COLOURS)] for at, kind in enumerate(kinds)}
    reasons = [attributes["rejected"] for *_, attributes in graph.edges(data=True) if attributes["rejected"]]
    ties = reasons.count(HOUSEHOLD)
    rejected = len(reasons) - ties
    strokes = [name for name, number in (("rejected", rejected), ("shared", ties)) if number]
    width, height = max(full_width, 560.0), full_height + FOOT
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{FONT}">',
        f'<rect width="100%" height="100%" rx="12" fill="{PAPER}"/>',
        *_heading(graph, rejected, ties),
        *[_link(graph, a, b, attributes, places) for a, b, attributes in graph.edges(data=True)],
        *[_node(ident, attributes, places[ident], colours) for ident, attributes in graph.nodes(data=True)],
        *_legend(colours, height - 24, strokes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _heading(graph: Graph, rejected: int, ties: int) -> list[str]:
    inside = [attributes for _, attributes in graph.nodes(data=True) if attributes["member"]]
    members, links = len(inside), graph.number_of_edges() - rejected - ties
    subject = "Household " if any(attributes["isolated"] == HOUSEHOLD for attributes in inside) else "Customer "
    parts = [graph.graph["tenant"], _counted(members, "identifier"), _counted(links, "link")]
    parts += [f"{rejected} rejected"] if rejected else []
    parts += [f"{ties} shared"] if ties else []
    return [
        _text(subject + graph.graph["profile_id"], MARGIN, 38, f'font-size="19" font-weight="600" fill="{INK}"'),
        _text(" · ".join(parts), MARGIN, 59, f'font-size="12.5" fill="{FAINT}"'),
    ]


def _link(
    graph: Graph, a: Identifier, b: Identifier, attributes: dict[str, Any], places: Mapping[Identifier, Place]
) -> str:
    one, two = places[a], places[b]
    line = f'x1="{one.x}" y1="{one.y}" x2="{two.x}" y2="{two.y}"'
    tooltip = [
        f"{a} - {b}",
        f"seen {attributes['count']} times, {attributes['first_seen']} to {attributes['last_seen']}",
    ]
    tooltip += [f"last on {attributes['event_id']}"] if attributes["event_id"] else []
    tooltip += (
        [" ".join(filter(None, ("rejected:", attributes["rejected"], attributes["rule"])))]
        if attributes["rejected"]
        else []
    )
    tie = attributes["rejected"] == HOUSEHOLD
    title = f"<title>{escape(chr(10).join(tooltip))}</title>"
    if not attributes["rejected"]:
        width = 3.0 if attributes["asserted"] else 1.8
        return f'<line {line} stroke="#9fb3c8" stroke-width="{width}" stroke-linecap="round">{title}</line>'
    colour, dashes = STROKES["shared" if tie else "rejected"]
    dashed = f'stroke-width="{2.5 if tie else 1.5}" stroke-dasharray="{dashes}" stroke-linecap="round"'
    drawn = f'<line {line} stroke="{colour}" {dashed} opacity="0.75">{title}</line>'
    if graph.nodes[a]["isolated"] or graph.nodes[b]["isolated"]:  # the isolated end is labelled with the reason
        return drawn
    x, y = round((one.x + two.x) / 2, 1), round((one.y + two.y) / 2 - 5, 1)
    return drawn + _text(
        attributes["rule"] or attributes["rejected"], x, y, f'font-size="10" fill="{REJECTED}" {CENTRED}'
    )


def _node(ident: Identifier, attributes: dict[str, Any], at: Place, colours: Mapping[str, str]) -> str:
    colour = colours[type_of(ident)]
    fill, stroke = (colour, PAPER) if attributes["member"] else (PAPER, colour)
    ink = INK if attributes["member"] else FAINT
    tooltip = [ident, f"profile {attributes['profile_id']}"] + (
        [f"links to nothing: {attributes['isolated']}"] if attributes["isolated"] else []
    )
    lines = [f"<g><title>{escape(chr(10).join(tooltip))}</title>"]
    if attributes["founder"] and attributes["member"]:
        lines.append(_circle(at, RADIUS + 4.5, PAPER, colour, 1.6))
    shared = attributes["isolated"] == HOUSEHOLD
    lines.append((_square if shared else _circle)(at, RADIUS, fill, stroke, 2.0))
    lines.append(_text(label_of(ident), at.x, round(at.y + 27, 1), f'font-size="11.5" fill="{ink}" {CENTRED}'))
    if attributes["isolated"]:
        style = f'font-size="10" fill="{TIE if shared else REJECTED}" {CENTRED}'
        lines.append(_text(attributes["isolated"], at.x, round(at.y + 39, 1), style))
    return "".join(lines) + "</g>"


def _legend(colours: Mapping[str, str], y: float, strokes: list[str]) -> list[str]:
    x, lines = MARGIN + 6, []
    for kind, colour in colours.items():
        lines.append(_circle(Place(round(x, 1), round(y - 4, 1)), 6, colour, colour, 0))
        lines.append(_text(kind, round(x + 12, 1), round(y, 1), f'font-size="11.5" fill="{INK}"'))
        x += 34 + CHARACTER * len(kind)
    for name in strokes:
        colour, dashes = STROKES[name]
        ends = f'x1="{x:.1f}" y1="{y - 4:.1f}" x2="{x + 26:.1f}" y2="{y - 4:.1f}"'
        lines.append(f'<line {ends} stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}"/>')
        lines.append(_text(name, round(x + 33, 1), round(y, 1), f'font-size="11.5" fill="{INK}"'))
        x += 60 + CHARACTER * len(name)
    return lines


def _circle(at: Place, radius: float, fill: str, stroke: str, width: float) -> str:
    return f'<circle cx="{at.x}" cy="{at.y}" r="{radius}" fill="{fill}" stroke="{stroke}" stroke-width="{width}"/>'


def _square(at: Place, half: float, fill: str, stroke: str, width: float) -> str:
    x, y, side = round(at.x - half, 1), round(at.y - half, 1), 2 * half
    place = f'x="{x}" y="{y}" width="{side}" height="{side}" rx="3"'
    return f'<rect {place} fill="{fill}" stroke="{stroke}" stroke-width="{width}"/>'


def _text(text: str, x: float, y: float, style: str) -> str:
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
