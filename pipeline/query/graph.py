"""One customer's identifiers and links as a graph: for networkx, for GraphML, and for :mod:`~pipeline.export.drawing`.

Nodes are identifiers. Their attributes are ``type``, ``profile_id``, ``member`` (whether the identifier belongs to the
requested customer), ``founder`` and ``isolated`` (the reason; ``household`` for a shared identifier). Edges are links
with their :func:`~pipeline.query.links.link_facts`. Equal resolutions give equal graphs.
"""

from typing import IO, TypeAlias

import networkx as nx

from pipeline.event.identifier import Identifier, type_of
from pipeline.identity.decisions import MergedLink
from pipeline.identity.explain import around
from pipeline.identity.filter_links import RejectedLink
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution
from pipeline.query.links import link_facts

Graph: TypeAlias = "nx.Graph[Identifier]"


def customer_graph(tenant: str, ident: Identifier, resolution: Resolution) -> Graph:
    """Returns the customer that owns ``ident``, with its rejected links and the identifiers they lead to."""
    members, merged_links, rejected = around(ident, resolution)
    founder = resolution.founder_of.get(ident, ident)
    graph: Graph = nx.Graph(tenant=tenant, profile_id=profile_id(tenant, founder))
    outside = {end for item in rejected for end in (item.merged_link.strong, item.merged_link.weak)} - set(members)
    for item in (*members, *sorted(outside)):
        owner = resolution.founder_of.get(item, item)
        graph.add_node(
            item,
            type=type_of(item),
            profile_id=profile_id(tenant, owner),
            member=item not in outside,
            founder=item == owner,
            isolated=str(resolution.isolated.get(item, "")),
        )
    for merged_link in sorted(merged_links, key=_ends):
        _add(graph, merged_link, None)
    for rejection in sorted(rejected, key=lambda item: _ends(item.merged_link)):
        _add(graph, rejection.merged_link, rejection)
    return graph


def write_graphml(file: IO[bytes], graph: Graph) -> None:
    """Writes the graph as GraphML, for Gephi, yEd, Cytoscape or networkx."""
    nx.write_graphml_xml(graph, file, prettyprint=True)


def _ends(merged_link: MergedLink) -> tuple[Identifier, Identifier]:
    return merged_link.strong, merged_link.weak


def _add(graph: Graph, merged_link: MergedLink, rejection: RejectedLink | None) -> None:
    graph.add_edge(merged_link.strong, merged_link.weak, **link_facts(merged_link, rejection))
