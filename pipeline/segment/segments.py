"""Evaluates all segments: membership and due times, as a pure function of a profile's ledgers and the moment."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Final, TypedDict, Unpack

from pipeline.condition.due import FOREVER
from pipeline.profile.journey.rules import JourneyRules
from pipeline.profile.ledger import Ledger
from pipeline.profile.rules import AggregateRules
from pipeline.score.forecast import Forecaster
from pipeline.score.rules import ScoreRules
from pipeline.segment.compiled import Compiled, SegmentError
from pipeline.segment.facts import Facts, SegmentState
from pipeline.segment.generated import Evaluate, generated
from pipeline.segment.rules import SegmentRules
from pipeline.segment.vocabulary import Vocabulary
from pipeline.segment.watch_bits import WatchBits, watch_bits_of

__all__ = ["SegmentError", "Segments", "segment_errors"]
_MAX_MASKS: Final = 1024
"""Cached lists of segments by mask. Few of the possible masks occur."""


class VocabularyOptions(TypedDict, total=False):
    """Names beside aggregates and scores; the defaults are those of :class:`Vocabulary`."""

    identifier_types: Collection[str]
    journeys: JourneyRules
    forecast: Forecaster


class Segments:
    """The segments of a rules directory, compiled once and shared by every profile.

    Raises:
        SegmentError: a condition uses an unknown name, or segments read each other in a cycle.
    """

    def __init__(
        self,
        rules: SegmentRules,
        aggregates: AggregateRules,
        scores: ScoreRules,
        *,
        interpret: bool = False,
        **options: Unpack[VocabularyOptions],
    ) -> None:
        """``interpret``: evaluates the conditions as trees. Generated functions must give the same results."""
        compiled = _compiled(rules, aggregates, scores, **options)
        for error in compiled.errors:
            raise error
        self.names = compiled.order
        """All segments, each after those it reads. Bit ``i`` of a mask stands for the ``i``-th."""
        self.all = (1 << len(self.names)) - 1
        """The mask of all segments."""
        self.watch_bits: WatchBits = watch_bits_of(compiled)
        """The bookings that can change each segment state."""
        self._parts = compiled.parts
        functions, self.source = generated(compiled, self.watch_bits)
        """``source``: the source of the generated functions."""
        if interpret:
            functions = {name: partial(self._interpreted, name) for name in self.names}
        self._functions = functions
        self._functions_of_mask: dict[int, tuple[tuple[str, Evaluate], ...]] = {}
        compiled.vocabulary.segment_state = self._state_of

    def mask_of(self, names: Iterable[str]) -> int:
        """Returns the mask of segments by name. Ignores unknown names."""
        wanted = set(names)
        return sum(1 << bit for bit, name in enumerate(self.names) if name in wanted)

    def evaluate(self, ledgers: Sequence[Ledger], as_of_ms: int, mask: int | None = None) -> dict[str, SegmentState]:
        """Returns the states of the segments in the mask (None: all), in the order of ``names``.

        ``as_of_ms`` must not be before the newest touch. A state is valid until its due time, unless a booking with its
        watch bit comes first. Segments that are only read by segments of the mask are evaluated but not returned.
        """
        facts = Facts(ledgers, as_of_ms)
        return {name: state_of(facts) for name, state_of in self.functions(self.all if mask is None else mask)}

    def holds(self, name: str, ledgers: Sequence[Ledger], as_of_ms: int) -> bool:
        """Whether the profile is in one segment. Faster than :meth:`evaluate`, because it computes no due time."""
        facts = Facts(ledgers, as_of_ms)
        return all(part.holds(facts) for part in self._parts[name])

    def _state_of(self, facts: Facts, name: str) -> SegmentState:
        return self._functions[name](facts)

    def _interpreted(self, name: str, facts: Facts) -> SegmentState:
        state = facts.segment_states.get(name)
        if state is None:
            state = facts.segment_states[name] = self._evaluate(name, facts)
        return state

    def _evaluate(self, name: str, facts: Facts) -> SegmentState:
        """Returns the state of one segment. Outside, it waits for the false part with the latest due time."""
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

    def functions(self, mask: int) -> tuple[tuple[str, Evaluate], ...]:
        """Returns name and function of each segment in the mask, in the order of ``names``.

        :meth:`evaluate` calls them, each with the same facts. Callers that already have facts do so themselves.
        """
        functions = self._functions_of_mask.get(mask)
        if functions is None:
            if len(self._functions_of_mask) >= _MAX_MASKS:
                self._functions_of_mask.clear()
            named = ((name, self._functions[name]) for bit, name in enumerate(self.names) if mask >> bit & 1)
            functions = self._functions_of_mask[mask] = tuple(named)
        return functions


def segment_errors(
    rules: SegmentRules, aggregates: AggregateRules, scores: ScoreRules, **options: Unpack[VocabularyOptions]
) -> list[SegmentError]:
    """Returns the errors for which :class:`Segments` would reject the rules, at most one per segment."""
    return _compiled(rules, aggregates, scores, **options).errors


def _compiled(
    rules: SegmentRules, aggregates: AggregateRules, scores: ScoreRules, **options: Unpack[VocabularyOptions]
) -> Compiled:
    names = [rule.name for rule in rules.segments]
    return Compiled(rules, Vocabulary(aggregates, scores, segments=names, **options))
