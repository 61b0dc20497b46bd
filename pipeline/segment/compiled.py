"""Compiles the conditions of all segments and sorts the segments so that each comes after those it reads."""

from pipeline.condition.compiler import Condition, compile_condition
from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import parse
from pipeline.condition.syntax import And, Expression, Name
from pipeline.event.duration import format_duration
from pipeline.segment.operand import ProfileOperand
from pipeline.segment.rules import SegmentRules
from pipeline.segment.vocabulary import Vocabulary


class SegmentError(ValueError):
    """The condition of a segment uses a name that the rules do not define, or depends on the segment itself.

    Operator action: correct ``when`` of the segment; ``stitchline rules check`` shows the place.
    """

    def __init__(self, place: int, name: str, error: ConditionError) -> None:
        super().__init__(f"segment {name!r}: {error}")
        self.place, self.error = place, error
        """Index of the segment in the rules, from 0, and the error in its condition."""


class Compiled:
    """The compiled conditions of all segments, or the errors in them."""

    def __init__(self, rules: SegmentRules, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.errors: list[SegmentError] = []
        self.parts: dict[str, tuple[Condition, ...]] = {}
        """By segment: the conditions that must all hold, which are the parts of a top-level ``and`` or the whole."""
        self.expressions: dict[str, tuple[Expression, ...]] = {}
        """By segment: the syntax trees of ``parts``."""
        for place, rule in enumerate(rules.segments):
            try:
                expression = parse(rule.when)
                expressions = self.expressions[rule.name] = (
                    expression.parts if isinstance(expression, And) else (expression,)
                )
                self.parts[rule.name] = tuple(compile_condition(part, self.vocabulary.resolve) for part in expressions)
            except ConditionError as error:
                self.errors.append(SegmentError(place, rule.name, error))
        self.order: tuple[str, ...] = ()
        """All segments, each after those it reads; empty if there are errors."""
        if not self.errors:
            self._sort({rule.name: place for place, rule in enumerate(rules.segments)})

    def operand_of(self, name: Name) -> ProfileOperand:
        """Returns the operand of a name in a condition."""
        return self.vocabulary.resolve(name.path, format_duration(name.window_ms) if name.window_ms else None)

    def read_by(self, name: str) -> list[str]:
        """Returns the segments whose membership a segment's condition reads, sorted."""
        reads = frozenset().union(*[part.reads for part in self.parts[name]])
        return sorted(".".join(path[1:]) for path, _ in reads if path[0] == "segment")

    def _sort(self, places: dict[str, int]) -> None:
        done: dict[str, None] = {}
        for name in places:
            circle = self._visit(name, (), done)
            if circle:
                message = f"segments name each other in a circle: {' -> '.join(circle)}"
                error = ConditionError(message, 0, "leave one of them out of the other's condition")
                self.errors.append(SegmentError(places[circle[0]], circle[0], error))
                return
        self.order = tuple(done)

    def _visit(self, name: str, above: tuple[str, ...], done: dict[str, None]) -> tuple[str, ...]:
        """Appends a segment to ``done`` after those it reads. Returns the cycle it is part of, or ()."""
        if name in above:
            return (*above[above.index(name) :], name)
        if name not in done:
            for other in self.read_by(name):
                circle = self._visit(other, (*above, name), done)
                if circle:
                    return circle
            done[name] = None
        return ()
