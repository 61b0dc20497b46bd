"""Segments compiled: who is in which, as a pure function of ledgers and moment, and when to ask again."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypedDict, Unpack

from pipeline.condition.due import FOREVER
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.rules import AggregateRules
from pipeline.score.forecast import Forecaster
from pipeline.score.rules import ScoreRules
from pipeline.segment.compiled import Compiled, SegmentError
from pipeline.segment.facts import Facts, SegmentState
from pipeline.segment.rules import SegmentRules
from pipeline.segment.vocabulary import Vocabulary
from pipeline.segment.watch_bits import WatchBits, watch_bits_of

__all__ = ["SegmentError", "Segments", "segment_errors"]
_MASKS: Final = 1024
"""Sets of segments remembered as lists; profiles have few of all there could be."""


class VocabularyOptions(TypedDict, total=False):
    """What conditions may name beside aggregates and scores; left out, as in :class:`Vocabulary`."""

    identifier_types: Collection[str]
    journeys: JourneyRules
    forecast: Forecaster


class Segments:
    """The segments of a rules directory, compiled once and shared by every profile.

    Raises:
        SegmentError: a condition names what there is not, or segments name each other in a circle.
    """

    def __init__(
        self, rules: SegmentRules, aggregates: AggregateRules, scores: ScoreRules, **options: Unpack[VocabularyOptions]
    ) -> None:
        compiled = _compiled(rules, aggregates, scores, **options)
        for error in compiled.errors:
            raise error
        self.names = compiled.order
        """Every segment, each after those it reads; bit ``i`` of a mask stands for the ``i``-th."""
        self.all = (1 << len(self.names)) - 1
        """The mask of every segment."""
        self.watch_bits: WatchBits = watch_bits_of(compiled)
        """What each segment state waits for, so that most bookings need not ask."""
        self._parts = compiled.parts
        self._names_of_mask: dict[int, tuple[str, ...]] = {}
        compiled.vocabulary.segment_state = self._state_of

    def mask_of(self, names: Iterable[str]) -> int:
        """The mask of segments by name; names that are none are left out."""
        wanted = set(names)
        return sum(1 << bit for bit, name in enumerate(self.names) if name in wanted)

    def evaluate(self, ledgers: Sequence[Ledger], as_of_ms: int, mask: int | None = None) -> dict[str, SegmentState]:
        """How somebody stands in the segments of the mask (None: all), in the order of ``names``.

        ``as_of_ms`` must not be before the newest touch. Before its due time a segment state stays, unless something is
        booked that it waits for; segments that are read by those of the mask are looked at too, but not told.
        """
        return self.states(Facts(ledgers, as_of_ms), self.all if mask is None else mask)

    def states(self, facts: Facts, mask: int) -> dict[str, SegmentState]:
        """As :meth:`evaluate`, from facts that others read too."""
        return {name: self._state_of(facts, name) for name in self._names(mask)} if mask else {}

    def holds(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> bool:
        """Whether somebody is in one segment: quicker than :meth:`evaluate`, for who does not ask until when."""
        facts = Facts(ledgers, as_of_ms)
        return all(part.holds(facts) for part in self._parts[name])

    def _state_of(self, facts: Facts, name: str) -> SegmentState:
        state = facts.segment_states.get(name)
        if state is None:
            state = facts.segment_states[name] = self._evaluate(facts, name)
        return state

    def _evaluate(self, facts: Facts, name: str) -> SegmentState:
        """Of several parts that keep somebody out, the last to turn by itself is the one to wait for."""
        due_ms, place = -1, 0
        parts = self._parts[name]
        for at, part in enumerate(parts):
            if not part.holds(facts):
                part_due_ms = part.due(facts)
                if part_due_ms > due_ms:
                    due_ms, place = part_due_ms, at
                if part_due_ms >= FOREVER:
                    break
        if due_ms >= 0:
            return SegmentState(
                inside=False, due_ms=due_ms, watch_bits=self.watch_bits.while_outside(name, place, due_ms)
            )
        due_ms = min([part.due(facts) for part in parts])
        return SegmentState(inside=True, due_ms=due_ms, watch_bits=self.watch_bits.while_inside(name))

    def _names(self, mask: int) -> tuple[str, ...]:
        names = self._names_of_mask.get(mask)
        if names is None:
            if len(self._names_of_mask) >= _MASKS:
                self._names_of_mask.clear()
            names = self._names_of_mask[mask] = tuple(name for bit, name in enumerate(self.names) if mask >> bit & 1)
        return names


def segment_errors(
    rules: SegmentRules, aggregates: AggregateRules, scores: ScoreRules, **options: Unpack[VocabularyOptions]
) -> list[SegmentError]:
    """Everything for which :class:`Segments` would refuse the rules, one error a segment."""
    return _compiled(rules, aggregates, scores, **options).errors


def _compiled(
    rules: SegmentRules, aggregates: AggregateRules, scores: ScoreRules, **options: Unpack[VocabularyOptions]
) -> Compiled:
    names = [rule.name for rule in rules.segments]
    return Compiled(rules, Vocabulary(aggregates, scores, segments=names, **options))
