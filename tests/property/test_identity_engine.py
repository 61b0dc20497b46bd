"""The engine against the pure function, over random histories in random orders: ten thousand, in two files.

``STITCHLINE_SEEDS=100000 pytest tests/property/test_identity_engine*.py`` widens the search; a failure prints the line
that replays it.
"""

import random
from functools import cmp_to_key

import networkx as nx
import pytest

from pipeline.identity.messages import Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.rules import IdentityRules, IdentityType
from tests.support.identity_histories import KINDS, PARTS, Run, check_part, replay, seeds


@pytest.mark.parametrize("part", range(0, PARTS, 2))
def test_engine_equals_the_pure_function_over_every_history(monkeypatch: pytest.MonkeyPatch, part: int):
    check_part(monkeypatch, part)


def oldest(sightings: list[tuple[int, str]], policy: IdentityPolicy) -> str:
    return min(sightings, key=cmp_to_key(lambda a, b: -1 if policy.older(*a, *b) else 1))[1]


def test_without_limits_groups_are_connected_components():
    for seed in seeds(0, 1, limit=300):
        rng = random.Random(seed)
        idents = [f"{kind}:{number}" for kind in KINDS for number in range(rng.choice((3, 30)))]
        links = [Link("t", *rng.sample(idents, 2), n, n, 1, "web", str(n)) for n in range(rng.choice((5, 60)))]
        rules = IdentityRules(types=[IdentityType(name=name, priority=rank) for rank, name in enumerate(KINDS)])
        run = Run(rng, rules, rng.sample(links, len(links)))
        graph = nx.Graph((link.anchor, link.other) for link in links)
        for component in nx.connected_components(graph):
            owners = {run.engine.profile_of(ident) for ident in component}
            ends = {(link.first_seen_ms, end) for link in links for end in (link.anchor, link.other)}
            founder = oldest([item for item in ends if item[1] in component], IdentityPolicy(rules))
            assert owners == {profile_id("t", founder)}, replay(seed, "connected_components")
