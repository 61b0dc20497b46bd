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
    SINK_REFUSED = "sink_refused"
    """A CRM refused an action for good; the detail is in its words."""
    SINK_REVIEW = "sink_review"
    """A CRM sink needs a person to decide about an action; the detail says what."""

    # Drop: correct, and nothing to do
    DUPLICATE = "duplicate"

    # Redirect
    REKEYED = "rekeyed"

    # Links: held by resolution, never dropped silently
    LIMIT = "limit"
    """The two customers together would hold more identifiers of a type than its limit says."""
    CAP = "cap"
    """The customer would have more identifiers than anybody may."""
    ISOLATED = "isolated"
    """Two customers claim the identifier and its type's policy gives it to nobody."""
    FIREBREAK = "firebreak"
    """Too many strong identifiers share it: a kiosk, a family inbox, a test account."""
    EXPIRED = "expired"
    """Left over from the time before the firebreak was lifted."""
    SUPPRESSED = "suppressed"
    UNLINKED = "unlinked"
    LOGGED_OUT = "logged_out"
    """The customer logged out there and has not been seen there since."""
    HOUSEHOLD = "household"
    """The type groups people and never merges them."""
    SHARED = "shared"
    """The type travels in links that people pass on, and the identifier was first seen with another."""
    FORGOTTEN = "forgotten"
    """Held, and the weakest of a marked component that has more links than are kept."""
    LINKED = "linked"
    """Accepted: two ends of one link are one customer."""
    COMMAND = "command"
    """A person decided."""
