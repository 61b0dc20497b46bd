"""What the profile asks of the packages above it and of the shell: scores, decisions, timers, without knowing how."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pipeline.profile.ledger import Ledger
from pipeline.profile.records import Lead, SegmentChange
from pipeline.profile.row import ProfileRow


class Contribution(NamedTuple):
    """What one rule adds to a score."""

    rule: str
    group: str
    points: float
    """A whole number of 1/1024, so that adding contributions is exact in every order."""
    occurrences: int
    """How often the rule has matched and may still count."""


class Score(NamedTuple):
    """A score is the sum of its contributions, exactly."""

    name: str
    value: float
    contributions: tuple[Contribution, ...]


class Scorer(Protocol):
    """Reads scores from ledgers: a pure function of the touches and ``as_of_ms``, not before the newest of them."""

    def values(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """Every score by name, without telling why."""
        ...

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> list[Score]:
        """Every score, in the order of their names."""
        ...

    def grade(self, values: Mapping[str, float]) -> str:
        """Letter and digit of the scores' values, as ``A1``; "" if the rules declare no grades."""
        ...


class SegmentStateLike(Protocol):
    """How somebody stands in a segment."""

    @property
    def inside(self) -> bool:
        """Whether they are in it."""
        ...

    @property
    def due_ms(self) -> int:
        """The moment before which time alone cannot change that."""
        ...

    @property
    def watch_bits(self) -> int:
        """The bit that a booking must bring to change it before then."""
        ...


class Segmenter(Protocol):
    """Reads segments from ledgers. Bit ``i`` of a mask is the segment ``names[i]``."""

    @property
    def names(self) -> Sequence[str]:
        """In an order in which a segment comes after those it reads."""
        ...

    def evaluate(
        self, ledgers: Sequence[Ledger], as_of_ms: int, mask: int | None = None
    ) -> Mapping[str, SegmentStateLike]:
        """By name, of the segments of a mask; None: of all."""
        ...


class Forecast(Protocol):
    """Predicts from ledgers what a customer will do, by a model that was fitted elsewhere."""

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float | int | str]:
        """By name; empty where there is no model or nothing to predict from."""
        ...

    def numbers(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """The same as numbers alone."""
        ...


class Booked(NamedTuple):
    """What booking a touch touched, for who decides what follows."""

    given: int
    """Points at most, over all scores."""
    taken: int
    changed_bits: int
    """Bit set of the decisions that may come out differently now, as the :class:`Decider` numbers them."""


class Decided(NamedTuple):
    """The records that follow from decisions, in the order of the decisions."""

    leads: list[Lead]
    segment_changes: list[SegmentChange]


class Decider(Protocol):
    """Keeps segments and triggers of a profile, and says what follows. State is in the row and its ledgers alone.

    Time passes in steps: what is due is decided for its due time, in order, before anything later happens. So the
    outcome does not depend on when somebody looked. What need not be looked at until when, the row notes.
    """

    def advance_to(self, profile_id: str, row: ProfileRow, until_ms: int, decided: Decided) -> None:
        """Live through everything that falls due up to a moment."""
        ...

    def on_touch(self, profile_id: str, row: ProfileRow, as_of_ms: int, booked: Booked, decided: Decided) -> None:
        """A touch was booked: decide what it may have changed."""
        ...

    def on_ledger_in(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """A ledger came: of several open episodes of one trigger one leads, the others duplicate it."""
        ...

    def on_ledger_out(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """A ledger went; perhaps it was the last."""
        ...

    def restated(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Identifiers are the customer's now, or no longer."""
        ...

    def dry_run(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> Mapping[str, str]:
        """Look at everything once, on a row that nobody keeps: what would follow now, and where each trigger stands."""
        ...


class Timers(Protocol):
    """Wakes profiles. An entry is kept until it is due; the shell hands what is due to ``ProfileLogic.on_time``."""

    def schedule(self, due_ms: int, profile_id: str) -> None:
        """Wake the profile at that time."""
        ...
