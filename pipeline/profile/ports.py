"""What the profile asks of the packages above it: scores to publish and triggers to fire, without knowing how."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from pipeline.profile.ledger import Ledger
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
    """Reads scores from ledgers: a pure function of the set of touches and ``as_of_ms``."""

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> list[Score]:
        """Every score, in the order of their names."""
        ...


class Watcher(Protocol):
    """Keeps the episodes of triggers in a profile's ledgers, and says which actions follow."""

    def rearm(self, row: ProfileRow, as_of_ms: int) -> None:
        """Close the episodes whose score has fallen below the low mark."""
        ...

    def fire(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[dict[str, Any]]:
        """Open the episodes whose score has reached the high mark; one action each."""
        ...

    def joined(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[dict[str, Any]]:
        """Ledgers came together: of several open episodes of one trigger one leads, the others duplicate it."""
        ...
