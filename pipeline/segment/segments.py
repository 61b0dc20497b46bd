"""Segments compiled: who is in which, as a pure function of ledgers and moment, and when to ask again."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from pipeline.condition.compiler import Condition, compile_condition
from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import parse
from pipeline.condition.syntax import Expression
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.segment.facts import Facts, Standing
from pipeline.segment.rules import SegmentRules
from pipeline.segment.vocabulary import Vocabulary

_MASKS: Final = 1024
"""Sets of segments remembered as lists; profiles have few of all there could be."""


class SegmentError(ValueError):
    """A segment whose condition means nothing under the rules, or cannot be evaluated before itself.

    Operator action: correct ``when`` of the segment; ``stitchline rules check`` shows the place.
    """

    def __init__(self, place: int, name: str, error: ConditionError) -> None:
        super().__init__(f"segment {name!r}: {error}")
        self.place, self.error = place, error
        """Which of the rules it is, from 0, and what is wrong where in its condition."""


class Segments:
    """The segments of a rules directory, compiled once and shared by every profile.

    Raises:
        SegmentError: a condition names what there is not, or segments name each other in a circle.
    """

    def __init__(
        self,
        rules: SegmentRules,
        aggregates: AggregateRules,
        scores: ScoreRules,
        *,
        identifier_types: Collection[str] = (),
        journeys: JourneyRules = NO_JOURNEYS,
    ) -> None:
        compiled = _Compiled(rules, aggregates, scores, identifier_types, journeys)
        for error in compiled.errors:
            raise error
        self.names = compiled.order
        """Every segment, each after those it reads; bit ``i`` of a mask stands for the ``i``-th."""
        self.all = (1 << len(self.names)) - 1
        """The mask of every segment."""
        self._conditions = compiled.conditions
        self._following = _masks(compiled)
        self._chosen: dict[int, tuple[str, ...]] = {}
        compiled.vocabulary.standing = self._standing

    def affected_by(self, keys: Iterable[str]) -> int:
        """The segments that may read otherwise once these parts of a profile have changed, as a mask.

        Keys are booking keys of aggregates (``kind:name``), names of scores, ``traits``, ``consent``, ``identifiers``,
        ``cart`` and ``touch``, which stands for any touch at all. Others affect nothing.
        """
        mask = 0
        following = self._following
        for key in keys:
            mask |= following.get(key, 0)
        return mask

    def mask_of(self, names: Iterable[str]) -> int:
        """The mask of segments by name; names that are none are left out."""
        wanted = set(names)
        return sum(1 << bit for bit, name in enumerate(self.names) if name in wanted)

    def evaluate(self, ledgers: Sequence[Ledger], as_of_ms: int, mask: int | None = None) -> dict[str, Standing]:
        """Membership and due time of the segments of the mask (None: of all), in the order of ``names``.

        ``as_of_ms`` must not be before the newest touch. Before its due time a segment reads the same, unless something
        changes that affects it; segments that are read by those of the mask are looked at too, but not told.
        """
        if not mask:
            if mask == 0:
                return {}
            mask = self.all
        facts = Facts(ledgers, as_of_ms)
        return {name: self._standing(facts, name) for name in self._names(mask)}

    def holds(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> bool:
        """Whether somebody is in one segment: quicker than :meth:`evaluate`, for who does not ask until when."""
        return self._conditions[name].holds(Facts(ledgers, as_of_ms))

    def _standing(self, facts: Facts, name: str) -> Standing:
        found = facts.standings.get(name)
        if found is None:
            found = facts.standings[name] = self._conditions[name].outlook(facts)
        return found

    def _names(self, mask: int) -> tuple[str, ...]:
        found = self._chosen.get(mask)
        if found is None:
            if len(self._chosen) >= _MASKS:
                self._chosen.clear()
            found = self._chosen[mask] = tuple(name for bit, name in enumerate(self.names) if mask >> bit & 1)
        return found


def segment_errors(
    rules: SegmentRules,
    aggregates: AggregateRules,
    scores: ScoreRules,
    *,
    identifier_types: Collection[str] = (),
    journeys: JourneyRules = NO_JOURNEYS,
) -> list[SegmentError]:
    """Everything for which :class:`Segments` would refuse the rules, one error a segment."""
    return _Compiled(rules, aggregates, scores, identifier_types, journeys).errors


class _Compiled:
    """Conditions by name, in an order in which each comes after those it reads; or what is wrong with them."""

    def __init__(
        self,
        rules: SegmentRules,
        aggregates: AggregateRules,
        scores: ScoreRules,
        identifier_types: Collection[str],
        journeys: JourneyRules,
    ) -> None:
        names = [rule.name for rule in rules.segments]
        self.vocabulary = Vocabulary(
            aggregates, scores, segments=names, identifier_types=identifier_types, journeys=journeys
        )
        self.errors: list[SegmentError] = []
        self.conditions: dict[str, Condition] = {}
        for place, rule in enumerate(rules.segments):
            try:
                self.conditions[rule.name] = compile_condition(parse(rule.when), self.vocabulary.resolve)
            except ConditionError as error:
                self.errors.append(SegmentError(place, rule.name, error))
        self.order: tuple[str, ...] = ()
        if not self.errors:
            self._sort({rule.name: (place, parse(rule.when)) for place, rule in enumerate(rules.segments)})

    def read_by(self, name: str) -> list[str]:
        """The segments that a segment reads."""
        return sorted(".".join(path[1:]) for path, _ in self.conditions[name].reads if path[0] == "segment")

    def _sort(self, rules: dict[str, tuple[int, Expression]]) -> None:
        done: dict[str, None] = {}
        for name in rules:
            circle = self._visit(name, (), done)
            if circle:
                place, _ = rules[circle[0]]
                message = f"segments name each other in a circle: {' -> '.join(circle)}"
                error = ConditionError(message, 0, "leave one of them out of the other's condition")
                self.errors.append(SegmentError(place, circle[0], error))
                return
        self.order = tuple(done)

    def _visit(self, name: str, above: tuple[str, ...], done: dict[str, None]) -> tuple[str, ...]:
        """Put a segment after those it reads; the circle, if it is one of those."""
        if name in above:
            return (*above[above.index(name) :], name)
        if name not in done:
            for other in self.read_by(name):
                circle = self._visit(other, (*above, name), done)
                if circle:
                    return circle
            done[name] = None
        return ()


def _masks(compiled: _Compiled) -> dict[str, int]:
    """By key, the segments that follow it, themselves or through others they read."""
    keys: dict[str, frozenset[str]] = {}
    for name in compiled.order:
        resolve = compiled.vocabulary.resolve
        own = [resolve(path, over).keys for path, over in compiled.conditions[name].reads]
        keys[name] = frozenset().union(*own, *(keys[other] for other in compiled.read_by(name)))
    masks: dict[str, int] = {}
    for bit, name in enumerate(compiled.order):
        for key in keys[name]:
            masks[key] = masks.get(key, 0) | 1 << bit
    return masks
