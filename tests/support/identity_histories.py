"""Random histories of links and decisions for the engine, and the assertions that must hold at their end."""

import os
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline.event.reason import Reason
from pipeline.identity import bounds
from pipeline.identity.contest import contested_by
from pipeline.identity.decisions import decide
from pipeline.identity.household import Household, StoredHouseholds, households
from pipeline.identity.messages import Command, IdentifierOwnership, IdentityChange, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution, resolve
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import Node, StitchTables
from pipeline.identity.stitch import Stitcher
from pipeline.identity.stored import stored
from pipeline.testing.table import MemoryTable
from tests.support.change_follower import ChangeFollower
from tests.support.naive_firebreak import NaiveFirebreaks
from tests.support.naive_identity import naive_facts, naive_groups

SEEDS = 10_000
PARTS = 10
"""Tests that share the seeds, so that none of them runs for long."""
DAY_MS = 86_400_000
KINDS = ("user", "mail", "card", "dev", "anon", "home")
COMMANDS = ("link", "unlink", "unlink", "logout", "suppress", "release")


def seeds(part: int, parts: int, limit: int = SEEDS) -> Iterator[int]:
    """Every ``parts``-th seed; or, in its part alone, the one that is to be replayed."""
    one = os.environ.get("STITCHLINE_SEED")
    every = range(part, int(os.environ.get("STITCHLINE_SEEDS", str(limit))), parts)
    yield from (int(one),) * (int(one) % parts == part) if one else every


def replay(seed: int, test: str) -> str:
    """The line that runs a seed again."""
    return f"STITCHLINE_SEED={seed} pytest tests/property/test_identity_engine*.py -k {test}"


def rules_of(rng: random.Random, extra: random.Random, *, bounded: bool) -> IdentityRules:
    """Random rules. ``extra`` draws what was added later, so that a seed keeps its history."""
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
            firebreak_counts_weak=extra.random() < 0.3,
            household=name == "home",
            exclusive=name == "anon" and rng.random() < 0.3,
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
    """Returns links in random order, some twice, interleaved with commands in fixed order."""
    people = rng.choice((2, 3, 6, 6, 30))
    idents = [f"{kind}:{number}" for kind in KINDS for number in range(people)]
    span_ms = rng.choice((DAY_MS, 20 * DAY_MS))
    shared = rng.choice(("", "", "dev:0", "card:0"))
    messages: list[Link | Command] = []
    for number in range(rng.choice((6, 6, 12, 12, 30, 100))):
        a, b = rng.sample(idents, 2)
        if shared and rng.random() < 0.6:
            a, b = rng.choice([ident for ident in idents if ident != shared]), shared
        first = rng.randrange(span_ms)
        last = first if rng.random() < 0.7 else rng.randrange(first, span_ms)
        alone = rng.choice((-1, -1, rng.randrange(span_ms)))
        link = Link("t", a, b, first, last, 1, "web", f"e{number}", rng.random() < 0.04, alone)
        messages += [link] * rng.choice((1, 1, 1, 2))
    rng.shuffle(messages)
    known = [message for message in messages if isinstance(message, Link)]
    for number in range(rng.choice((0, 0, 2, 12))):
        kind, link = rng.choice(COMMANDS), rng.choice(known[:6])
        b = "" if kind in {"suppress", "release"} else link.other
        command = Command("t", kind, link.anchor, b, "ann", "because", rng.randrange(span_ms), f"c{number}")
        messages.insert(rng.randrange(len(messages) + 1), command)
    return messages


def with_facts(
    extra: random.Random, rules: IdentityRules, messages: list[Link | Command]
) -> tuple[IdentityRules, list[Link | Command]]:
    """Adds a type that must agree, links with its values and decisions about them, to every third history."""
    if extra.random() < 0.67:
        return rules, messages
    born = IdentityType(name="born", priority=extra.choice((0, 1, 2, 3)), must_agree=True)
    rules = msgspec.structs.replace(rules, types=[*rules.types, born])
    links = [message for message in messages if isinstance(message, Link)]
    facts: list[Link | Command] = []
    for number in range(extra.choice((2, 5, 12))):
        link, value = extra.choice(links), f"born:{extra.randrange(extra.choice((2, 4)))}"
        ends = [extra.choice((link.anchor, link.other)), value]
        if extra.random() < 0.15:
            kind = extra.choice(("link", "unlink", "logout"))
            facts.append(Command("t", kind, *ends, "ann", "because", link.first_seen_ms, f"d{number}"))
        else:
            at_ms = extra.randrange(link.first_seen_ms, link.last_seen_ms + DAY_MS)
            facts.append(Link("t", *ends, at_ms, at_ms, 1, "web", f"f{number}"))
    messages = list(messages)
    for fact in facts:
        messages.insert(extra.randrange(len(messages) + 1), fact)
    return rules, messages


def with_kiosk(extra: random.Random, messages: list[Link | Command]) -> list[Link | Command]:
    """Adds a device with several browsers, each with people of its own, to every fourth history, and decisions."""
    if extra.random() < 0.75:
        return messages
    hub, messages, new = extra.choice(("dev:0", "card:0", "dev:990")), list(messages), list[Link | Command]()
    for number in range(extra.choice((3, 4, 6))):
        weak = f"{extra.choice(('anon', 'anon', 'dev'))}:{900 + number}"
        pairs = [(hub, weak)] * (extra.random() < 0.95)
        pairs += [
            (f"{extra.choice(('user', 'mail', 'card'))}:{extra.randrange(8)}", weak)
            for _ in range(extra.choice((0, 1, 2)))
        ]
        pairs += [(f"dev:{extra.randrange(3)}", weak)] * (extra.random() < 0.2)
        for a, b in pairs:
            at_ms = extra.randrange(20 * DAY_MS)
            new.append(Link("t", a, b, at_ms, at_ms, 1, "web", f"k{len(new)}"))
    for number in range(extra.choice((0, 1, 4))):
        kind, link = extra.choice(COMMANDS), extra.choice([item for item in new if isinstance(item, Link)])
        ends = (
            (extra.choice((link.anchor, link.other)), "")
            if kind in {"suppress", "release"}
            else (link.anchor, link.other)
        )
        new.append(Command("t", kind, *ends, "ann", "because", extra.randrange(20 * DAY_MS), f"x{number}"))
    for message in new:
        messages.insert(extra.randrange(len(messages) + 1), message)
    return messages


class EncodedTable:
    """Rows as the store keeps them: every get decodes another copy, so a change without a put is lost."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}

    def get(self, key: str) -> Node | None:
        return msgspec.msgpack.decode(self._rows[key], type=Node) if key in self._rows else None

    def put(self, key: str, row: Node) -> None:
        self._rows[key] = msgspec.msgpack.encode(row)

    def delete(self, key: str) -> None:
        del self._rows[key]

    @property
    def rows(self) -> dict[str, Node]:
        return {key: msgspec.msgpack.decode(row, type=Node) for key, row in self._rows.items()}


class Run:
    """An engine that processes random batches, and all its effects."""

    def __init__(self, rng: random.Random, rules: IdentityRules, messages: list[Link | Command]) -> None:
        self.nodes: Any = rng.choice((MemoryTable, EncodedTable))()
        self.tables = StitchTables(self.nodes, MemoryTable())
        self.engine = Stitcher("t", rules, self.tables)
        self.owner: dict[str, str] = {}
        self.assigned: dict[str, tuple[int, str, list[str]]] = {}
        self.owned: dict[tuple[str, str], tuple[int, bool]] = {}
        self.changes: list[IdentityChange] = []
        rest = list(messages)
        while rest:
            size = rng.choice((1, 3, 50))
            self._take(rest[:size])
            rest = rest[size:]

    def _take(self, batch: list[Link | Command]) -> None:
        effects = self.engine.on_links(batch, 0)
        home = [move for move in effects.moves if move.target in {profile_id("t", anchor) for anchor in move.anchors}]
        assert effects.moves_for_target == home
        shown = [*effects.moves, *(ownership for _, ownership in effects.ownerships)]
        targets = {ownership.seq: target for target, ownership in effects.ownerships}
        for message in sorted(shown, key=lambda message: message.seq):
            if isinstance(message, IdentifierOwnership):
                self._own(message, targets[message.seq])
                continue
            for anchor in message.anchors:
                assert self.owner.get(anchor, profile_id("t", anchor)) == message.source != message.target
                self.owner[anchor] = message.target
        for ident, row in effects.assignments.items():
            assert row.seq > self.assigned.get(ident, (0, "", []))[0]
            self.assigned[ident] = (row.seq, row.profile_id, row.contested)
        self.changes += effects.changes

    def _own(self, ownership: IdentifierOwnership, target: str) -> None:
        assert self.owner.get(ownership.anchor, profile_id("t", ownership.anchor)) == target
        self.owned.update(
            {(ownership.anchor, other): (ownership.decided, own) for other, own in ownership.owned.items()}
        )

    def held(self) -> set[tuple[str, str, str]]:
        return {
            (edge.peer, ident, edge.rejection)
            for ident, node in self.nodes.rows.items()
            for edge in node.edges
            if edge.rejection and edge.count
        }


def agree(run: Run, expected: Resolution, idents: set[str]) -> None:
    """Asserts that the engine's state and effects equal the result of the pure function."""
    for ident in sorted(idents):
        own, wanted = profile_id("t", ident), profile_id("t", expected.founder_of.get(ident, ident))
        assert run.engine.profile_of(ident) == wanted, ident
        assert run.assigned.get(ident, (0, own, []))[1] == run.owner.get(ident, own) == wanted, ident


def agree_on_groups(run: Run, expected: Resolution, idents: set[str]) -> None:
    """Asserts equal customers. Their founders may depend on forgotten links behind a firebreak."""
    result: dict[str, set[str]] = {}
    wanted: dict[str, set[str]] = {}
    for ident in idents:
        result.setdefault(run.engine.profile_of(ident), set()).add(ident)
        wanted.setdefault(expected.founder_of.get(ident, ident), set()).add(ident)
    assert set(map(frozenset, result.values())) == set(map(frozenset, wanted.values()))


def agree_on_held(run: Run, expected: Resolution) -> None:
    """Asserts equal rejected links with equal reasons."""
    assert run.held() == {
        (rejected.merged_link.strong, rejected.merged_link.weak, str(rejected.reason)) for rejected in expected.rejected
    }


def agree_on_ownership(run: Run, expected: Resolution, links: list[Link], policy: IdentityPolicy) -> None:
    """Asserts that every anchor's ledger received which identifiers of its events belong to its customer."""
    reason_of = {
        (rejected.merged_link.strong, rejected.merged_link.weak): rejected.reason for rejected in expected.rejected
    }
    for link in links:
        strong, weak = policy.ends(link.anchor, link.other)
        if strong == weak or policy.kind(strong).must_agree:
            continue
        anchor, other = sorted((strong, weak), key=policy.strength)
        own = expected.founder_of[strong] == expected.founder_of[weak]
        if policy.kind(strong).household:
            own = reason_of[strong, weak] == "household"
        assert run.owned.get((anchor, other), (0, True))[1] is own, (anchor, other)


def agree_on_contested(run: Run, expected: Resolution, policy: IdentityPolicy) -> None:
    """Asserts that INTAKE received every link whose next sighting can change an owner. It may have received more."""
    reasons = {
        (rejected.merged_link.strong, rejected.merged_link.weak): rejected.reason for rejected in expected.rejected
    }
    merged_links = expected.accepted + [rejected.merged_link for rejected in expected.rejected]
    for ident, contested in contested_by(merged_links, reasons, expected.isolated, policy).items():
        assert contested <= set(run.assigned.get(ident, (0, "", []))[2]), ident


def agree_on_households(run: Run, expected: Resolution) -> None:
    """Asserts that households merge no profiles, and that the rows and the function give equal households."""
    rows = StoredHouseholds("t", run.engine._union_find, run.nodes)
    wanted = {household.shared: household for household in households("t", expected)}
    people: dict[str, set[str]] = {}
    known = run.nodes.rows
    for shared in (ident for ident in known if ident.startswith("home:")):
        result = rows.of(shared)
        assert result == wanted.get(shared), shared
        assert rows.shared_by(shared) in ([shared], [])
        for profile in result.profile_ids if result else ():
            people.setdefault(profile, set()).add(shared)
    one_of = {run.engine.profile_of(ident): ident for ident in known if not ident.startswith("home:")}
    for profile, ident in one_of.items():
        assert rows.shared_by(ident) == sorted(people.get(profile, ())), ident


def agree_with_a_reader_of_the_changes(run: Run, idents: set[str], result: list[Household]) -> None:
    """Asserts that a reader of the public log alone derives the owner of every identifier, and every household."""
    lines = [msgspec.structs.asdict(change) for change in run.changes]
    reader = ChangeFollower(lambda ident: profile_id("t", ident)).take(lines)
    assert {ident: reader.owner(ident) for ident in idents} == {ident: run.engine.profile_of(ident) for ident in idents}
    assert reader.households() == {household.shared: household.profile_ids for household in result}


def in_shape(run: Run) -> None:
    """Asserts that trees lead to roots, circles close, heads count their members, and changes are numbered in order."""
    union_find = run.engine._union_find
    seen: set[str] = set()
    for ident, node in sorted(run.nodes.rows.items()):
        root, row, head = union_find.root(ident, node)
        if ident == root:
            members = [name for name, _ in union_find.members(root, row)]
            assert head.size == len(members) == len(set(members)) == sum(head.counts_by_type.values())
            assert not seen & set(members)
            seen.update(members)
    assert seen == set(run.nodes.rows)
    numbers = [change.seq for change in run.changes]
    assert numbers == sorted(set(numbers))
    owner = {ident: profile_id("t", ident) for ident in run.nodes.rows}
    for change in run.changes:
        if change.change in {"merged", "split"}:
            over = change.change == "merged"
            target = change.profile_id if over else change.other_profile_id
            owner.update(dict.fromkeys(change.identifiers, target))
            if over:
                assert change.other_profile_id not in owner.values(), "a profile that merged has nothing left"


def check(seed: int) -> None:
    """Runs the history of a seed. Raises AssertionError if a check fails."""
    rng = random.Random(seed)
    bounded = rng.random() < 0.2
    rules, messages = rules_of(rng, random.Random(-seed - 1), bounded=bounded), history(rng)
    rules, messages = with_facts(random.Random(f"facts {seed}"), rules, messages)
    messages = with_kiosk(random.Random(f"kiosk {seed}"), messages)
    policy, run = IdentityPolicy(rules), Run(rng, rules, messages)
    links = [message for message in messages if isinstance(message, Link)]
    commands = [message for message in messages if isinstance(message, Command)]
    idents = {end for link in links for end in (link.anchor, link.other)}
    kept, decisions = stored("t", run.nodes.rows.items(), policy)
    expected = resolve(kept, policy, decisions)
    agree(run, expected, idents)
    agree_on_held(run, expected)
    agree_on_households(run, expected)
    agree_on_ownership(run, expected, kept, policy)
    agree_with_a_reader_of_the_changes(run, idents, households("t", expected))
    in_shape(run)
    if bounded:
        return
    agree_on_contested(run, expected, policy)
    expected = resolve(rng.sample(links, len(links)), policy, decide(commands, policy))
    firebreaks = {ident for ident, reason in expected.isolated.items() if reason == Reason.FIREBREAK}
    assert firebreaks == NaiveFirebreaks(links, commands, rules).isolated()
    facts = naive_facts(links, commands, rules)
    assert naive_groups(expected, policy.rules, facts) == {frozenset(members) for members in expected.groups().values()}
    if not any(kind.firebreak_above or kind.exclusive for kind in rules.types):
        agree(run, expected, idents)
        agree_on_held(run, expected)
    elif not commands:
        agree_on_groups(run, expected, idents)


def check_part(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """Checks a part of the seeds. The first failure contains the command that replays it."""
    for seed in seeds(part, PARTS):
        monkeypatch.setattr(bounds, "SPARE_EDGES", (1, 16)[seed // PARTS % 2])
        try:
            check(seed)
        except Exception as error:  # noqa: BLE001 - every failure must name its seed
            pytest.fail(f"{error!r}\n{replay(seed, 'history')}")
