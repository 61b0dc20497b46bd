"""The names in conditions over profiles. The first part is a root from :data:`ROOTS`, an aggregate or a ratio.

A new root is one line in :data:`ROOTS`: a function from the vocabulary, the whole path and the window to an operand.
"""

from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from pipeline.condition.advice import did_you_mean
from pipeline.condition.due import FOREVER
from pipeline.condition.errors import MeaningError
from pipeline.condition.operand import Check, Kind, converted
from pipeline.condition.syntax import Value
from pipeline.profile.journey.rules import NO_JOURNEYS, JourneyRules
from pipeline.profile.rules import AggregateRules
from pipeline.score.forecast import NO_FORECAST, Forecaster
from pipeline.score.rules import ScoreRules
from pipeline.score.scorer import Scores
from pipeline.segment import person
from pipeline.segment.aggregate import aggregate
from pipeline.segment.cart import cart
from pipeline.segment.facts import Facts, SegmentState
from pipeline.segment.grade import GradeOperand
from pipeline.segment.operand import ProfileOperand, no_parts
from pipeline.segment.prediction import prediction
from pipeline.segment.ratio import ratio
from pipeline.segment.score import ScoreOperand

Path: TypeAlias = tuple[str, ...]


class Vocabulary:
    """Resolves names under the deployed rules. Equal names give the same operand, so its value is read once."""

    def __init__(
        self,
        aggregates: AggregateRules,
        scores: ScoreRules,
        *,
        segments: Collection[str] = (),
        identifier_types: Collection[str] = (),
        journeys: JourneyRules = NO_JOURNEYS,
        forecast: Forecaster = NO_FORECAST,
    ) -> None:
        """``identifier_types`` are the declared types; empty accepts any."""
        self.aggregates = {rule.name: rule for rule in aggregates.aggregates}
        self.ratios = {rule.name: rule for rule in aggregates.ratios}
        self.journeys, self.forecast = journeys, forecast
        self.scores, self.scorer = scores, Scores(scores)
        self.segments, self.identifier_types = frozenset(segments), frozenset(identifier_types)
        self.segment_state: Callable[[Facts, str], SegmentState] = _never_inside
        """Returns a profile's state in a segment. :class:`~pipeline.segment.segments.Segments` sets it."""
        self._known: dict[tuple[Path, str | None], ProfileOperand] = {}

    def resolve(self, path: Path, over: str | None) -> ProfileOperand:
        """Returns the operand of a name.

        Raises:
            MeaningError: there is no such name, or it is not kept over the window.
        """
        operand = self._known.get((path, over))
        if operand is None:
            operand = self._known[path, over] = self._resolved(path, over)
        return operand

    def _resolved(self, path: Path, over: str | None) -> ProfileOperand:
        root = ROOTS.get(path[0])
        if root is not None:
            return root(self, path, over)
        rule = self.aggregates.get(path[0])
        if rule is not None:
            return aggregate(rule, path[1:], over)
        quotient = self.ratios.get(path[0])
        if quotient is not None:
            return ratio(quotient, self.aggregates, path[1:], over)
        message = f"there is no {path[0]}"
        raise MeaningError(message, did_you_mean(path[0], {*self.aggregates, *self.ratios, *ROOTS}))


class SegmentOperand:
    """Membership of another segment."""

    kind: Kind = "truth"
    keys: frozenset[str] = frozenset()
    """Empty: :func:`~pipeline.segment.drift.drift_of` takes over the keys of the other segment."""

    def __init__(self, vocabulary: Vocabulary, name: str) -> None:
        self._vocabulary, self.name = vocabulary, name

    def read(self, facts: Facts) -> bool:
        """Returns whether the profile is inside. Evaluates the other segment if necessary."""
        return self._vocabulary.segment_state(facts, self.name)[0]

    def convert(self, value: Value) -> bool:
        """Returns the literal's truth value."""
        return bool(converted("truth", value))

    def until(self, facts: Facts, _check: Check) -> int:
        """Returns the due time of the other segment."""
        return self._vocabulary.segment_state(facts, self.name)[1]


def _never_inside(_facts: Facts, _name: str) -> SegmentState:
    return SegmentState(inside=False, due_ms=FOREVER, watch_bits=0)


def _score(vocabulary: Vocabulary, path: Path) -> ProfileOperand:
    name, known = ".".join(path[1:]), vocabulary.scorer.names()
    if name not in known:
        message = f"there is no score {name}" if name else "score needs the name of a score"
        raise MeaningError(message, did_you_mean(name, known))
    return ScoreOperand(name, vocabulary.scorer)


def _grade(vocabulary: Vocabulary, path: Path) -> ProfileOperand:
    grades = vocabulary.scores.grades
    no_parts("grade", path[1:], "a text")
    if grades is None:
        message = "the rules declare no grades"
        raise MeaningError(message, "add grades to scores.yaml")
    fit, engagement = (vocabulary.resolve(("score", name), None) for name in (grades.fit, grades.engagement))
    return GradeOperand(grades, fit, engagement)


def _prediction(vocabulary: Vocabulary, path: Path) -> ProfileOperand:
    model = vocabulary.forecast.model
    rule = vocabulary.aggregates.get(model.aggregate) if model else None
    return prediction(path, vocabulary.forecast, rule.key if rule else None)


def _segment(vocabulary: Vocabulary, path: Path) -> ProfileOperand:
    name = ".".join(path[1:])
    if name not in vocabulary.segments:
        message = f"there is no segment {name}" if name else "segment needs the name of a segment"
        raise MeaningError(message, did_you_mean(name, vocabulary.segments))
    return SegmentOperand(vocabulary, name)


Factory: TypeAlias = Callable[[Vocabulary, Path, str | None], ProfileOperand]


def windowless(make: Callable[[Vocabulary, Path], ProfileOperand]) -> Factory:
    """Returns the factory of a root whose names do not take a window."""

    def factory(vocabulary: Vocabulary, path: Path, over: str | None) -> ProfileOperand:
        if over is not None:
            name = ".".join(path)
            message = f"{name} is not kept over windows"
            raise MeaningError(message, f"write {name} without over {over}")
        return make(vocabulary, path)

    return factory


ROOTS: Final[dict[str, Factory]] = {
    "cart": windowless(lambda vocabulary, path: cart(path, vocabulary.journeys.carts)),
    "consent": windowless(lambda _vocabulary, path: person.consent(path)),
    "first_touch": windowless(lambda _vocabulary, path: person.touch(path)),
    "grade": windowless(_grade),
    "identifier": windowless(lambda vocabulary, path: person.identifier(path, vocabulary.identifier_types)),
    "last_touch": windowless(lambda _vocabulary, path: person.touch(path)),
    "prediction": windowless(_prediction),
    "score": windowless(_score),
    "segment": windowless(_segment),
    "traits": windowless(lambda _vocabulary, path: person.trait(path)),
}
