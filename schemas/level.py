"""What each topic's schema promises across versions; the values are the registry's names."""

from enum import StrEnum


class Level(StrEnum):
    """Transitive: the promise holds towards every released version, not only the last."""

    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    """The new schema reads everything ever written. Enough for inputs, whose only reader is this product."""
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    """Also, every old reader reads what is written now. Needed for outputs, whose readers upgrade when they like."""


def level(name: str) -> Level:
    """The level of a schema by its name: events are inputs, everything else is an output."""
    return Level.BACKWARD_TRANSITIVE if name.startswith("event-") else Level.FULL_TRANSITIVE
