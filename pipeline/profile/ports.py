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
    """Reads scores from ledgers: a pure function of the touches and ``as_of_ms``, not before the newest of them."""

    def values(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """Every score by name, without telling why."""
        ...

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> list[Score]:
        """Every score, in the order of their names."""
        ...


class Watcher(Protocol):
    """Keeps the episodes of triggers in a profile's ledgers, and says which actions follow.

    What it may skip until when, it notes in the row (``rearm_due_ms``, ``headroom``).
    """

    def before(self, row: ProfileRow, as_of_ms: int) -> None:
        """Time has passed: close the episodes whose score has fallen below the low mark."""
        ...

    def after(self, profile_id: str, row: ProfileRow, as_of_ms: int, points: tuple[int, int]) -> list[dict[str, Any]]:
        """Points were given and taken: open the episodes whose score has reached the high mark; one action each."""
        ...

    def joined(self, profile_id: str, row: ProfileRow, as_of_ms: int) -> list[dict[str, Any]]:
        """A ledger came: of several open episodes of one trigger one leads, the others duplicate it; or one opens."""
        ...
