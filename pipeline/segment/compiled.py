"""Segments as their rules declare them: conditions compiled, in an order in which each comes after those it reads."""

from pipeline.condition.compiler import Condition, compile_condition
from pipeline.condition.errors import ConditionError
from pipeline.condition.grammar import parse
from pipeline.condition.syntax import And, Expression, Name
from pipeline.event.duration import format_duration
from pipeline.segment.operand import ProfileOperand
from pipeline.segment.rules import SegmentRules
from pipeline.segment.vocabulary import Vocabulary


class SegmentError(ValueError):
    """A segment whose condition means nothing under the rules, or cannot be evaluated before itself.

    Operator action: correct ``when`` of the segment; ``stitchline rules check`` shows the place.
    """

    def __init__(self, place: int, name: str, error: ConditionError) -> None:
        super().__init__(f"segment {name!r}: {error}")
        self.place, self.error = place, error
        """Which of the rules it is, from 0, and what is wrong where in its condition."""


class Compiled:
    """Conditions by name, in an order in which each comes after those it reads; or what is wrong with them."""

    def __init__(self, rules: SegmentRules, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.errors: list[SegmentError] = []
        self.parts: dict[str, tuple[Condition, ...]] = {}
        """Of each segment what must hold together: the parts of an ``and``, or the one condition."""
        self.expressions: dict[str, tuple[Expression, ...]] = {}
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
        if not self.errors:
            self._sort({rule.name: place for place, rule in enumerate(rules.segments)})

    def operand_of(self, name: Name) -> ProfileOperand:
        """What a name of a condition stands for."""
        return self.vocabulary.resolve(name.path, format_duration(name.window_ms) if name.window_ms else None)

    def read_by(self, name: str) -> list[str]:
        """The segments that a segment reads."""
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
