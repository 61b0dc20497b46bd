"""Random lives of people with shared devices and addresses, resolved after every event: tracks profile ids."""

import random
from collections.abc import Callable, Iterator

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.identity.decisions import decide
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import BELOW_PEOPLE, IdentityPolicy
from pipeline.identity.resolve import Resolution, resolve
from pipeline.identity.rules import IdentityRules, IdentityType, Policy

STEP_MS = 1_000
DAY_MS = 86_400_000
SHAPES = ("d", "dc", "du", "due", "de", "u", "ue", "e", "uc", "dl", "el", "lue")
TYPES = {"u": "user", "l": "loyalty", "e": "email", "d": "device", "c": "click"}
Step = frozenset[Identifier] | Command


def rules_of(chance: random.Random, policy: Policy) -> IdentityRules:
    """One log-in a customer; the other limits and a firebreak vary."""
    emails = chance.choice((["1 ever"], ["1 ever"], ["5 ever"]))
    types = [
        IdentityType(name="user", priority=1, strong=True, limits=["1 ever"], policy=policy),
        IdentityType(name="loyalty", priority=2, strong=True, limits=["2 ever"], policy=policy),
        IdentityType(name="email", priority=3, strong=True, limits=emails, policy=policy),
        IdentityType(name="device", priority=4, policy=policy, firebreak_above=chance.choice((0, 0, 0, 3))),
        IdentityType(name="click", priority=5, policy=policy),
    ]
    return IdentityRules(types=types)


def life(chance: random.Random) -> list[Step]:
    """Events in the order of time, with log-outs, and decisions about pairs that were seen."""
    steps: list[Step] = []
    for _ in range(chance.randint(3, 14)):
        at_ms = len(steps) * STEP_MS
        seen = [tuple(sorted(step)) for step in steps if not isinstance(step, Command) and len(step) > 1]
        what = chance.random()
        if seen and what < 0.12:
            pair = seen[chance.randrange(len(seen))][:2]
            kind = chance.choice(("logout", "logout", "unlink", "suppress", "release"))
            b = "" if kind in {"suppress", "release"} else pair[1]
            steps.append(Command("t", kind, pair[0], b, "ann", "because", at_ms))
        else:
            kinds = chance.choice(SHAPES)
            steps.append(frozenset(f"{TYPES[kind]}:{chance.randrange(3)}" for kind in kinds))
    return steps


def with_facts(chance: random.Random, rules: IdentityRules, steps: list[Step]) -> tuple[IdentityRules, list[Step]]:
    """Adds a type that must agree, and its values to some events."""
    born = IdentityType(name="born", priority=chance.choice((0, 1, 2, 3)), must_agree=True)
    stated = [
        step | {f"born:{chance.randrange(2)}"} if not isinstance(step, Command) and chance.random() < 0.4 else step
        for step in steps
    ]
    return msgspec.structs.replace(rules, types=[*rules.types, born]), stated


def resolved(steps: list[Step], policy: IdentityPolicy, decided: list[Command]) -> Resolution:
    """Resolves these events, with links as INTAKE passes them on, under all decisions about pairs."""
    links: list[Link] = []
    first_ms: dict[Identifier, int] = {}
    for number, step in enumerate(steps):
        if not isinstance(step, Command):
            anchor, *others = sorted(step, key=lambda ident: (policy.kind(ident).must_agree, policy.strength(ident)))
            at_ms = number * STEP_MS
            first_ms.setdefault(anchor, at_ms)
            links += [
                Link("t", anchor, other, at_ms, at_ms, 1, "web", f"e{number}", anchor_first_ms=first_ms[anchor])
                for other in others
            ]
    return resolve(links, policy, decide(decided, policy))


class Holders:
    """Tracks the holders of each profile id. People are given by the strongest identifiers of their group."""

    def __init__(self, policy: IdentityPolicy, named: Callable[[Resolution], dict[Identifier, Identifier]]) -> None:
        self._policy, self._named = policy, named
        self._held: dict[Identifier, set[Identifier]] = {}
        self._met: dict[Identifier, set[Identifier]] = {}
        """For each person, the people that were ever one customer with them."""
        self.passed: list[tuple[Identifier, set[Identifier], set[Identifier]]] = []
        self.clashes = 0

    def take(self, resolution: Resolution) -> None:
        """Records the holders after a step. All people that were ever one customer under an id may hold it."""
        founder_of = self._named(resolution)
        groups: dict[Identifier, list[Identifier]] = {}
        for ident, founder in resolution.founder_of.items():
            groups.setdefault(founder, []).append(ident)
        names = [founder_of[members[0]] for members in groups.values()]
        self.clashes += len(names) - len(set(names))
        for members in groups.values():
            people = {ident for ident in members if self._policy.person_class(ident) != BELOW_PEOPLE}
            if not people:
                continue
            best = min(map(self._policy.person_class, people))
            strongest = {ident for ident in people if self._policy.person_class(ident) == best}
            for person in people:
                self._met.setdefault(person, set()).update(people)
            known = self._held.setdefault(founder_of[members[0]], set())
            merged = set[Identifier]().union(*(self._met[person] for person in known))
            if known and not (known & people or merged & strongest):
                self.passed.append((founder_of[members[0]], set(known), people))
            known |= strongest


def by_claim(resolution: Resolution) -> dict[Identifier, Identifier]:
    """The rule in force."""
    return resolution.founder_of


def by_age(resolution: Resolution) -> dict[Identifier, Identifier]:
    """The oldest member by accepted links: the rule before claims, to compare with."""
    eldest: dict[Identifier, tuple[int, Identifier]] = {}
    for merged_link in resolution.accepted:
        key, age = resolution.founder_of[merged_link.strong], (merged_link.edge.first_seen_ms, merged_link.strong)
        eldest[key] = min(eldest.get(key, age), age)
    return {ident: eldest[key][1] if key in eldest else ident for ident, key in resolution.founder_of.items()}


def lives(policy: Policy, runs: range, *, facts: bool = False) -> Iterator[tuple[int, IdentityPolicy, list[Step]]]:
    """Seeded rules and lives."""
    for seed in runs:
        chance = random.Random(f"{policy} {seed}")
        rules, steps = rules_of(chance, policy), life(chance)
        if facts:
            rules, steps = with_facts(chance, rules, steps)
        yield seed, IdentityPolicy(rules), steps


def prefixes(steps: list[Step], policy: IdentityPolicy) -> Iterator[Resolution]:
    """Yields the resolution after each step. Decisions about a pair or an identifier apply from the beginning.

    Undoing a link means that it never existed, so that an id held through it was not held. Log-outs are events.
    """
    decided = [step for step in steps if isinstance(step, Command) and step.kind != "logout"]
    for end in range(1, len(steps) + 1):
        outs = [step for step in steps[:end] if isinstance(step, Command) and step.kind == "logout"]
        yield resolved(steps[:end], policy, [*outs, *decided])
