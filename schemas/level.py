"""The compatibility level of each topic's schema. Values are the registry's names."""

from enum import StrEnum


class Level(StrEnum):
    """Compatibility levels. Transitive means with every released version, not only with the last."""

    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    """The new schema reads all old records. Sufficient for inputs, whose only reader is Stitchline."""
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    """In addition, every old schema reads new records. Needed for outputs, whose readers upgrade independently."""


def level(name: str) -> Level:
    """Returns the level of a schema by its name: events are inputs, all others are outputs."""
    return Level.BACKWARD_TRANSITIVE if name.startswith("event-") else Level.FULL_TRANSITIVE
