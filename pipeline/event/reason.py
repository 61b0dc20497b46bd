"""Every reason an event, link or action is not simply taken: the one list that metrics, headers and docs use."""

from enum import StrEnum


class Reason(StrEnum):
    """Why. The value is what metrics labels, DLQ headers and ``identity.changes`` carry."""

    # DLQ: the bytes are quarantined
    UNDECODABLE = "undecodable"
    """Not Confluent-framed Avro of a known schema, or truncated, or not UTF-8."""
    TOO_LARGE = "too_large"
    INVALID_FIELD = "invalid_field"
    """A field has the wrong type or a value outside its domain; the detail names it."""
    NO_IDENTIFIER = "no_identifier"
    """No identifier is left after normalisation and blocked values."""
    FROM_THE_FUTURE = "from_the_future"
    TOO_OLD = "too_old"
    MISROUTED = "misrouted"
    """Re-keyed once already and still on the wrong partition."""

    # Drop: correct, and nothing to do
    DUPLICATE = "duplicate"

    # Redirect
    REKEYED = "rekeyed"
