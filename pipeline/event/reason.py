"""Every reason for rejecting, dropping or redirecting: the one list that metrics, headers and docs use."""

from enum import StrEnum


class Reason(StrEnum):
    """A reason. Metric labels, DLQ headers and ``identity.changes`` contain its value."""

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
    """The event was re-keyed once and is still on the wrong partition."""
    SINK_REFUSED = "sink_refused"
    """A CRM permanently refused an action; the detail quotes its message."""
    SINK_REVIEW = "sink_review"
    """A CRM sink needs a person to decide about an action; the detail describes the decision."""
    SINK_GAVE_UP = "sink_gave_up"
    """A CRM did not take an action within the maximum number of tries; the detail quotes its last message."""

    # Drop: correct, and nothing to do
    DUPLICATE = "duplicate"
    ERASED = "erased"
    """The event is about a customer that was erased after it happened."""

    # Redirect
    REKEYED = "rekeyed"

    # Links: rejected by resolution, never dropped silently
    LIMIT = "limit"
    """The two customers together would have more identifiers of a type than its limit allows."""
    VETO = "veto"
    """The two customers differ in an attribute in which they must agree, and the link is weaker than the attribute."""
    CAP = "cap"
    """The customer would have more than ``max_identifiers`` identifiers."""
    ISOLATED = "isolated"
    """Two customers claim the identifier, and the policy of its type gives it to neither."""
    FIREBREAK = "firebreak"
    """Too many strong identifiers share it: a kiosk, a family inbox, a test account."""
    EXPIRED = "expired"
    """The link dates from before the firebreak was lifted."""
    SUPPRESSED = "suppressed"
    UNLINKED = "unlinked"
    LOGGED_OUT = "logged_out"
    """The customer logged out on this device and has not been seen on it since."""
    HOUSEHOLD = "household"
    """The type groups people and never merges them."""
    SHARED = "shared"
    """The identifier is of an exclusive type, whose values people pass on, and was first seen with another customer."""
    FORGOTTEN = "forgotten"
    """The link was rejected, and its component has more links than are kept."""
    LINKED = "linked"
    """The link was accepted: its ends are one customer."""
    COMMAND = "command"
    """A person decided."""
