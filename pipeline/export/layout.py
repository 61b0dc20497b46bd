"""Places the identifiers of a graph: networkx lays them out, then they are moved apart until no labels overlap."""

from collections.abc import Mapping
from math import sqrt
from typing import Final, NamedTuple

import networkx as nx

from pipeline.event.identifier import Identifier, value_of
from pipeline.query.graph import Graph

SEED: Final = 7
CHARACTER, LABEL_HEIGHT, SPACING, MARGIN = 6.3, 58.0, 105.0, 36.0
MAX_LABEL_CHARACTERS: Final = 26
PASSES: Final = 200


class Place(NamedTuple):
    """The centre of a node, in pixels."""

    x: float
    y: float


class Layout(NamedTuple):
    """The places of all identifiers, and the size of the picture with its margins."""

    places: dict[Identifier, Place]
    width: float
    height: float
    """To the lower end of the lowest label."""


def lay_out(graph: Graph, head: float = 0.0) -> Layout:
    """Returns a layout that is the same in every run. ``head`` is free space above it, in pixels."""
    places = _moved(_apart(_sprung(graph), {ident: label_width(ident) for ident in graph}), head)
    width = max(at.x + label_width(ident) / 2 for ident, at in places.items()) + MARGIN
    return Layout(places, width, max(at.y for at in places.values()) + LABEL_HEIGHT)


def label_of(ident: Identifier) -> str:
    """Returns the value, shortened in its middle, because identifiers usually differ at their ends."""
    value, half = value_of(ident), MAX_LABEL_CHARACTERS // 2
    return value if len(value) <= MAX_LABEL_CHARACTERS else f"{value[: half - 1]}…{value[-half:]}"


def label_width(ident: Identifier) -> float:
    """Returns the width that a label takes, in pixels."""
    return max(len(label_of(ident)) * CHARACTER + 18.0, 54.0)


def _sprung(graph: Graph) -> dict[Identifier, Place]:
    """Returns a spring layout. Rejected links pull weakly, which separates the other customers."""
    springs: Graph = nx.Graph()
    springs.add_nodes_from(graph)
    springs.add_weighted_edges_from(
        (a, b, 0.35 if attributes["rejected"] else 1.0) for a, b, attributes in graph.edges(data=True)
    )
    positions = nx.spring_layout(springs, seed=SEED, iterations=200, k=1.6 / sqrt(len(graph)), method="force")
    size = SPACING * sqrt(len(graph))
    return {ident: Place(float(x) * size * 1.25, float(y) * size * 0.85) for ident, (x, y) in positions.items()}


def _apart(places: dict[Identifier, Place], widths: Mapping[Identifier, float]) -> dict[Identifier, Place]:
    """Moves nodes apart until no labels overlap, in small steps along the axis of the smaller overlap."""
    at = {ident: [place.x, place.y] for ident, place in places.items()}
    for _ in range(PASSES):
        settled, downwards = True, sorted(at, key=lambda ident: (at[ident][1], ident))
        for number, one in enumerate(downwards):
            for other in downwards[number + 1 :]:
                a, b = at[one], at[other]
                over_x = (widths[one] + widths[other]) / 2 - abs(a[0] - b[0])
                over_y = LABEL_HEIGHT - abs(a[1] - b[1])
                if b[1] - a[1] > 2 * LABEL_HEIGHT:
                    break
                if over_x <= 0 or over_y <= 0:
                    continue
                settled = False
                axis, over = (1, over_y) if over_y <= over_x else (0, over_x)
                push = (over / 2 + 0.5) * (1 if a[axis] > b[axis] else -1)
                a[axis] += push
                b[axis] -= push
        if settled:
            break
    return {ident: Place(x, y) for ident, (x, y) in at.items()}


def _moved(places: dict[Identifier, Place], head: float) -> dict[Identifier, Place]:
    """Moves the picture to the upper left corner, below the head.

    Rounds all positions, so that differences in a float's last bits between platforms do not change the picture.
    """
    left = min(place.x - label_width(ident) / 2 for ident, place in places.items()) - MARGIN
    top = min(place.y for place in places.values()) - head - MARGIN
    return {ident: Place(round(at.x - left, 1), round(at.y - top, 1)) for ident, at in places.items()}
