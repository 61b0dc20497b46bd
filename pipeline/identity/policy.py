"""The identity rules, compiled so that the hot path needs one dictionary look-up per identifier."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from pipeline.event.identifier import Identifier
from pipeline.identity.limits import Limit, parse_limit
from pipeline.identity.presets import spelled_out
from pipeline.identity.rules import IdentityRules, IdentityType
from pipeline.identity.state import Head

BELOW_PEOPLE = 1 << 30
"""The class of all types that do not name people. A type that names people has its priority as class."""


class Kinds(dict[str, IdentityType]):
    """Declarations by type name. Creates the declaration of an undeclared type at its first look-up."""

    def __init__(self, types: list[IdentityType]) -> None:
        super().__init__({kind.name: kind for kind in types})
        self._undeclared_priority = max((kind.priority for kind in types), default=0) + 1

    def __missing__(self, name: str) -> IdentityType:
        declared = self[name] = IdentityType(name=name, priority=self._undeclared_priority, policy="latest")
        return declared


@lru_cache(maxsize=1 << 12)
def _folded(name: str) -> str:
    return "".join(item for item in name.casefold() if item.isalnum())


class Hub(NamedTuple):
    """A type whose firebreak counts what stands behind weaker identifiers."""

    above: int
    """The firebreak."""
    counted: tuple[str, ...]
    """The declared types that it counts."""
    through: frozenset[str]
    """The types of weaker identifiers behind which it counts."""


def _hubs(types: list[IdentityType]) -> dict[str, Hub]:
    hubs: dict[str, Hub] = {}
    for kind in types:
        linking = [other for other in types if not (other.household or other.must_agree)]
        through = frozenset(
            other.name
            for other in linking
            if other.priority > kind.priority and not other.strong and not other.exclusive
        )
        if kind.firebreak_above and kind.firebreak_counts_weak and not kind.household and through:
            counted = tuple(other.name for other in linking if other.priority < kind.priority)
            hubs[kind.name] = Hub(kind.firebreak_above, counted, through)
    return hubs


class IdentityPolicy:
    """The order of identifiers and the limits under ``rules``. Strength is a total order: no two ends are equal."""

    def __init__(self, rules: IdentityRules) -> None:
        self.rules = spelled_out(rules)
        self.kinds = Kinds(self.rules.types)
        self.limits: dict[str, list[Limit]] = {
            kind.name: [parse_limit(text) for text in kind.limits] for kind in self.rules.types if kind.limits
        }
        self._logouts = frozenset(map(_folded, self.rules.logout_events))
        self._people: dict[int, list[str]] = {}
        for kind in self.rules.types:
            if kind.strong and not kind.household:
                self._people.setdefault(kind.priority, []).append(kind.name)
        self._min_counts = {name: min(limit.count for limit in limits) for name, limits in self.limits.items()}
        self._hubs = _hubs(self.rules.types)
        self._min_hub = min((hub.above for hub in self._hubs.values()), default=self.rules.max_identifiers)

    def is_logout(self, name: str) -> bool:
        """Returns whether the rules declare a track event as a log-out. Ignores case and separators."""
        return bool(self._logouts) and _folded(name) in self._logouts

    def kind(self, ident: Identifier) -> IdentityType:
        """Returns the declaration of the identifier's type."""
        return self.kinds[ident.partition(":")[0]]

    def strength(self, ident: Identifier) -> tuple[int, str, Identifier]:
        """Returns a sort key, strongest first: priority, then type name, then text."""
        kind = self.kind(ident)
        return kind.priority, kind.name, ident

    def ends(self, a: Identifier, b: Identifier) -> tuple[Identifier, Identifier]:
        """Returns the stronger, then the weaker of two identifiers. A household identifier comes before its members."""
        # The weaker end's row keeps the link: a member's row has all that can end its membership, and the row of a
        # household does not grow with its members.
        # A value that must agree comes first too: many identifiers have it, and it has no row.
        one, two = self.strength(a), self.strength(b)
        if self.kind(a).must_agree != self.kind(b).must_agree:
            return (a, b) if self.kind(a).must_agree else (b, a)
        if self.kind(a).household != self.kind(b).household:
            return (a, b) if self.kind(a).household else (b, a)
        return (a, b) if one <= two else (b, a)

    def person_class(self, ident: Identifier) -> int:
        """Returns the class of the identifier's type; lower is stronger. ``BELOW_PEOPLE`` if it names no people."""
        kind = self.kind(ident)
        return kind.priority if kind.strong and not kind.household else BELOW_PEOPLE

    def older(self, since_a: int, a: Identifier, since_b: int, b: Identifier) -> bool:
        """Returns whether ``a``, first seen at ``since_a`` ms, founds a profile rather than ``b``.

        The older identifier founds it; of two equally old ones the weaker.
        """
        if since_a != since_b:
            return since_a < since_b
        # At a first log-in the login is seen together with a browser: the browser's profile continues.
        one, two = self.kinds[a.partition(":")[0]], self.kinds[b.partition(":")[0]]
        if one.priority != two.priority:
            return one.priority > two.priority
        return (one.name, a) > (two.name, b)

    def counts(self, strong: Identifier, weak: Identifier) -> bool:
        """Returns whether a link with ``strong`` counts towards the firebreak of ``weak``."""
        kind = self.kind(weak)
        if not kind.firebreak_above:
            return False
        other = self.kind(strong)
        counted = other.strong or kind.firebreak_counts_weak
        apart = other.household or other.must_agree
        return counted and not apart and other.priority < kind.priority

    @property
    def has_hubs(self) -> bool:
        """Whether any firebreak counts what stands behind weaker identifiers."""
        return bool(self._hubs)

    def adds_behind(self, hub: Identifier, weak: Identifier) -> bool:
        """Returns whether the firebreak of ``hub`` may count what was seen with the weaker identifier."""
        known = self._hubs.get(hub.partition(":")[0])
        return known is not None and weak.partition(":")[0] in known.through

    def _uncrowded(self, counts: Mapping[str, int]) -> bool:
        """Returns whether a component has too few identifiers for a firebreak that counts behind weaker ones."""
        return not any(
            counts.get(name) and sum(counts.get(other, 0) for other in hub.counted) > hub.above
            for name, hub in self._hubs.items()
        )

    def fit_together(self, a: Head, b: Head) -> bool:
        """Returns whether two components together surely break no limit. False means that a rebuild must decide."""
        if a.size + b.size > self.rules.max_identifiers:
            return False
        if a.size + b.size > self._min_hub and not self._uncrowded(_added(a.counts_by_type, b.counts_by_type)):
            return False
        if a.facts and any(b.facts.get(kind, fact) != fact for kind, fact in a.facts.items()):
            return False
        return all(
            a.counts_by_type.get(name, 0) + b.counts_by_type.get(name, 0) <= count
            for name, count in self._min_counts.items()
        )

    def fits_one(self, head: Head, kind: str) -> bool:
        """Returns whether one more identifier of a type surely breaks no limit of the component."""
        if head.size >= self.rules.max_identifiers:
            return False
        if head.size >= self._min_hub and not self._uncrowded(_added(head.counts_by_type, {kind: 1})):
            return False
        minimum = self._min_counts.get(kind)
        return minimum is None or head.counts_by_type.get(kind, 0) < minimum

    def of_one_person(self, a: Head, b: Head | None = None) -> bool:
        """Returns whether the components together have at most one identifier of each class of people.

        Then the strongest member is the lord of all others, whatever the order of the links.
        """
        mine, theirs = a.counts_by_type, {} if b is None else b.counts_by_type
        for names in self._people.values():
            count = 0
            for name in names:
                count += mine.get(name, 0) + theirs.get(name, 0)
            if count > 1:
                return False
        return True

    def takes_in(self, head: Head, strong: Identifier, kind: IdentityType) -> bool:
        """Returns whether a new identifier of a type, linked with ``strong``, surely gets the component's lord.

        That is so if the type names no people, if the component then has at most one identifier of each class of
        people, or if ``strong`` is the lord.
        """
        own = self._people.get(kind.priority, ())
        if kind.name not in own:
            return True
        counts = {
            people: sum(head.counts_by_type.get(name, 0) for name in names) for people, names in self._people.items()
        }
        if not counts[kind.priority] and max(counts.values()) <= 1:
            return True
        highest = min((people for people, count in counts.items() if count), default=BELOW_PEOPLE)
        return self.person_class(strong) == highest < kind.priority and counts[highest] == 1

    def roomy(self, head: Head) -> bool:
        """Returns whether the component cannot break a limit by changed times of its links, or by further links."""
        if not self._uncrowded(head.counts_by_type):
            return False
        return all(head.counts_by_type.get(name, 0) <= count for name, count in self._min_counts.items())


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in one.keys() | other.keys()}
