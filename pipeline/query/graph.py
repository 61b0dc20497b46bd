"""One customer's identifiers and links as a graph: for networkx, for GraphML, and for :mod:`~pipeline.export.drawing`.

Nodes are identifiers, with ``type``, ``profile_id``, ``member`` (of the customer asked for), ``founder`` and ``closed``
(``household`` for what people share). Edges are links, with their :func:`~pipeline.query.links.link_facts`. Equal
resolutions make equal graphs.
"""

from typing import IO, TypeAlias

import networkx as nx

from pipeline.event.identifier import Identifier, type_of
from pipeline.identity.decisions import Bond
from pipeline.identity.explain import around
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution
from pipeline.identity.screen import Held
from pipeline.query.links import link_facts

Graph: TypeAlias = "nx.Graph[Identifier]"


def customer_graph(tenant: str, ident: Identifier, resolution: Resolution) -> Graph:
    """The customer of ``ident`` with the links that are held at its border and whom they lead to."""
    members, bonds, held = around(ident, resolution)
    founder = resolution.founder_of.get(ident, ident)
    graph: Graph = nx.Graph(tenant=tenant, profile_id=profile_id(tenant, founder))
    outside = {end for each in held for end in (each.bond.strong, each.bond.weak)} - set(members)
    for each in (*members, *sorted(outside)):
        owner = resolution.founder_of.get(each, each)
        graph.add_node(
            each,
            type=type_of(each),
            profile_id=profile_id(tenant, owner),
            member=each not in outside,
            founder=each == owner,
            closed=str(resolution.closed.get(each, "")),
        )
    for bond in sorted(bonds, key=_ends):
        _add(graph, bond, None)
    for each_held in sorted(held, key=lambda each: _ends(each.bond)):
        _add(graph, each_held.bond, each_held)
    return graph


def write_graphml(file: IO[bytes], graph: Graph) -> None:
    """The graph as GraphML, for Gephi, yEd, Cytoscape or networkx."""
    nx.write_graphml_xml(graph, file, prettyprint=True)


def _ends(bond: Bond) -> tuple[Identifier, Identifier]:
    return bond.strong, bond.weak


def _add(graph: Graph, bond: Bond, held: Held | None) -> None:
    graph.add_edge(bond.strong, bond.weak, **link_facts(bond, held))
