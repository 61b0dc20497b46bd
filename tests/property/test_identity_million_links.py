"""A million random links through the engine make the connected components that networkx finds."""

import gc
import random
from collections.abc import Iterator

import networkx as nx
import pytest

from pipeline.identity.messages import Link
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import Node, StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.testing.table import MemoryTable


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Millions of live objects and no cycles: walking them again and again would be most of the run."""
    gc.disable()
    yield
    gc.enable()


def test_a_million_links_make_the_connected_components(no_garbage_collection: None):
    rng = random.Random(1)
    pairs = [(f"user:{rng.randrange(800_000)}", f"dev:{rng.randrange(1_200_000)}") for _ in range(1_000_000)]
    rules = IdentityRules(
        types=[IdentityType(name="user", priority=1), IdentityType(name="dev", priority=2)], max_identifiers=10**9
    )
    nodes: MemoryTable[Node] = MemoryTable()
    engine = Stitcher("t", rules, StitchTables(nodes, MemoryTable()))
    for start in range(0, len(pairs), 10_000):
        batch = [Link("t", a, b, start, start, 1, "web", "e") for a, b in pairs[start : start + 10_000]]
        engine.on_links(batch, 0)
    owner = engine._union_find.founder
    founders = set()
    for component in nx.connected_components(nx.Graph(pairs)):
        (founder,) = {owner(ident) for ident in component}
        assert founder not in founders
        founders.add(founder)
