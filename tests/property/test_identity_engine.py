"""The engine against the pure function, over random histories in random orders.

``STITCHLINE_SEEDS=10000 pytest tests/property/test_identity_engine.py`` widens the search; a failure prints the line that
replays it.
"""

import os
import random
from collections.abc import Iterator

import networkx as nx
import pytest

from pipeline.identity.decisions import Decisions, decide
from pipeline.identity.messages import Command, Link
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution, resolve
from pipeline.identity.rulebook import Rulebook
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.identity.stored import stored
from pipeline.testing.table import MemoryTable

DAY_MS = 86_400_000
KINDS = ("user", "mail", "card", "dev", "anon", "home")
COMMANDS = ("link", "unlink", "unlink", "logout", "suppress", "release")


def seeds() -> Iterator[int]:
    one = os.environ.get("STITCHLINE_SEED")
    yield from (int(one),) if one else range(int(os.environ.get("STITCHLINE_SEEDS", "300")))


def replay(seed: int, test: str) -> str:
    return f"STITCHLINE_SEED={seed} pytest tests/property/test_identity_engine.py -k {test}"


def rules_of(rng: random.Random, *, bounded: bool) -> IdentityRules:
    policies = ["latest"] * 3 + ["first", "isolate"]
    limits = [[], [], ["1 ever"], ["2 ever"], ["2 per 3 d"], ["1 per 1 d", "4 ever"]]
    types = [
        IdentityType(
            name=name,
            priority=rng.choice((rank, rank, 2)),
            strong=rank < 2,
            limits=rng.choice(limits),
            policy=rng.choice(policies),
            firebreak_above=rng.choice((0, 0, 2, 3)) if rank else 0,
            firebreak_window_ms=rng.choice((0, 3 * DAY_MS)),
            household=name == "home",
        )
        for rank, name in enumerate(KINDS)
    ]
    return IdentityRules(
        preset=rng.choice(("none", "first-keeps", "never-merge-identified", "logout-resets")),
        types=types,
        max_identifiers=rng.choice((4, 10, 1000)),
        max_links=rng.choice((3, 8)) if bounded else 100_000,
    )


def history(rng: random.Random) -> list[Link | Command]:
    """Links in random order, some twice, with commands among them whose own order stands."""
    people = rng.choice((3, 8, 30))
    idents = [f"{kind}:{number}" for kind in KINDS for number in range(people)]
    span_ms = rng.choice((DAY_MS, 20 * DAY_MS))
    messages: list[Link | Command] = []
    for number in range(rng.choice((10, 40, 120))):
        a, b = rng.sample(idents, 2)
        first = rng.randrange(span_ms)
        last = first if rng.random() < 0.7 else rng.randrange(first, span_ms)
        link = Link("t", a, b, first, last, 1, "web", f"e{number}", asserted=rng.random() < 0.04)
        messages += [link] * rng.choice((1, 1, 1, 2))
    rng.shuffle(messages)
    known = [message for message in messages if isinstance(message, Link)]
    for number in range(rng.choice((0, 0, 2, 12))):
        kind, link = rng.choice(COMMANDS), rng.choice(known)
        b = "" if kind in {"suppress", "release"} else link.other
        command = Command("t", kind, link.anchor, b, "ann", "because", rng.randrange(span_ms), f"c{number}")
        messages.insert(rng.randrange(len(messages) + 1), command)
    return messages


class Run:
    """An engine fed in random batches, and everything it said."""

    def __init__(self, rng: random.Random, rules: IdentityRules, messages: list[Link | Command]) -> None:
        self.nodes = MemoryTable()
        self.tables = StitchTables(self.nodes, MemoryTable(), MemoryTable())
        self.engine = Stitcher("t", rules, self.tables)
        self.owner: dict[str, str] = {}
        self.assigned: dict[str, tuple[int, str, list[str]]] = {}
        self.changes = []
        rest = list(messages)
        while rest:
            size = rng.choice((1, 3, 50))
            self._take(rest[:size])
            rest = rest[size:]

    def _take(self, batch: list[Link | Command]) -> None:
        effects = self.engine.on_links(batch, 0)
        for move in sorted(effects.moves, key=lambda move: move.seq):
            assert self.owner.get(move.leaf, profile_id("t", move.leaf)) == move.source != move.target
            self.owner[move.leaf] = move.target
        for ident, row in effects.assignments:
            assert row.seq > self.assigned.get(ident, (0, "", []))[0]
            self.assigned[ident] = (row.seq, row.profile_id, row.contested)
        self.changes += effects.changes

    def held(self) -> set[tuple[str, str, str]]:
        return {
            (edge.peer, ident, edge.held)
            for ident, node in self.nodes.rows.items()
            for edge in node.edges
            if edge.held and edge.count
        }


def agree(run: Run, expected: Resolution, idents: set[str], book: Rulebook) -> None:
    """The engine's state and everything it told equal the pure function's answer."""
    for ident in idents:
        founder = expected.founder_of.get(ident, ident)
        assert run.engine._forest.founder(ident) == founder, ident
        told = run.assigned.get(ident, (0, profile_id("t", ident), []))[1]
        assert told == profile_id("t", founder) == run.owner.get(ident, profile_id("t", ident)), ident
        assert run.engine.current(profile_id("t", ident)) == profile_id("t", founder) or (
            run.tables.aliases.get(profile_id("t", ident)) is None
        )
    assert run.held() == {(held.bond.strong, held.bond.weak, str(held.reason)) for held in expected.held}
    numbers = [change.seq for change in run.changes]
    assert numbers == sorted(set(numbers))


def in_shape(run: Run) -> None:
    """Trees lead to roots, circles close, and heads count what is there."""
    forest = run.engine._forest
    for ident, node in list(run.nodes.rows.items()):
        root, row, head = forest.root(ident, node)
        members = [name for name, _ in forest.members(root, row)]
        assert ident in members
        assert head.size == len(members) == len(set(members)) == sum(head.tally.values())


def test_engine_equals_the_pure_function_over_every_history():
    for seed in seeds():
        rng = random.Random(seed)
        rules, messages = rules_of(rng, bounded=False), history(rng)
        book = Rulebook(rules)
        run = Run(rng, rules, messages)
        links = [message for message in messages if isinstance(message, Link)]
        decisions = decide([message for message in messages if isinstance(message, Command)], book)
        idents = {end for link in links for end in (link.anchor, link.other)}
        try:
            kept, kept_decisions = stored("t", run.nodes.rows.items())
            agree(run, resolve(kept, book, kept_decisions), idents, book)
            in_shape(run)
            if not any(kind.firebreak_above for kind in rules.types):
                agree(run, resolve(links, book, decisions), idents, book)
        except (AssertionError, KeyError) as error:
            pytest.fail(f"{error!r}\n{replay(seed, 'every_history')}")
