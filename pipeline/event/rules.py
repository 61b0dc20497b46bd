"""INTAKE's rules: limits on events, the fields that contain money, and the identifier types."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from pipeline.event.duration import DAY_MS, MINUTE_MS
from pipeline.event.form import Duration, Pattern, choice

Count: TypeAlias = Annotated[int, Meta(ge=1)]


class IntakeRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``intake.yaml``: the limits an event must meet, and how its money, phone numbers and links are read."""

    max_event_bytes: Count = 256 * 1024
    """An encoded event above this size is quarantined as ``too_large``."""
    max_identifiers: Count = 32
    """The most identifiers an event may have. Each identifier besides the anchor is a link."""
    max_fields: Count = 512
    """The most top-level entries in each of properties, context and traits."""
    max_depth: Count = 16
    """The most levels of nesting within properties, context and traits."""
    future_tolerance_ms: Duration = 5 * MINUTE_MS
    """How far an event's time may be ahead of INTAKE's clock."""
    retention_ms: Duration = 400 * DAY_MS
    """Events older than this are quarantined as ``too_old``: their windows and ledgers are closed."""
    dedupe_window_ms: Duration = DAY_MS
    """Two events with one message id are duplicates if their own times are at most this far apart, however late the
    second arrives. At three times this distance or more they are two events: the sender has reused the id. In between,
    the second may count as either. 0 disables de-duplication."""
    dedupe_memory_ms: Duration = 400 * DAY_MS
    """How long message ids are kept, measured back from the newest event. A duplicate of an older event counts again;
    at the length of ``retention`` no accepted event can be such a duplicate. Must not be shorter than the window. An
    id costs about 20 bytes of state. A replay keeps all ids."""
    default_country: Annotated[str, Meta(pattern="^([A-Z]{2})?$")] = "US"
    """ISO 3166 country of phone numbers written without ``+``. Empty: such numbers are not identifiers."""
    default_currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "USD"
    """ISO 4217 currency of amounts without a currency."""
    amount_fields: tuple[str, ...] = ("revenue", "total", "value", "amount", "price")
    """Properties that contain the event's money; the first one with a number counts. ``<name>_minor``, an integer in
    minor units, takes precedence over ``<name>``."""
    currency_field: str = "currency"
    """Property that names the currency of the amount."""
    click_id_parameters: tuple[str, ...] = (
        "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "epik", "sccid",
    )  # fmt: skip
    """Query parameters of a page's URL whose value identifies one click on an ad."""
    link_refresh_ms: Duration = DAY_MS
    """A known link is sent to STITCH again when a sighting is more than this later than the last one sent."""
    known_links_cap: Count = 1000
    """Links stored per anchor. Beyond it, the least recently seen are forgotten; if seen again they count as new."""


class IdentifierType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of an identifier type's declaration that INTAKE uses."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$", max_length=32)]
    priority: Annotated[int, Meta(ge=0)]
    """A lower number is stronger. The strongest identifier of an event is its anchor."""
    normalise: Annotated[str, choice(("text", "lower", "email", "phone"))] = "text"
    """Name of the normaliser: ``text`` (trims), ``lower`` (trims and lower-cases), ``email``, ``phone``."""
    must_agree: bool = False
    """Whether it is an attribute of a customer, such as the year of birth, and identifies nothing by itself."""
    blocked_values: frozenset[str] = frozenset()
    """Values that identify no customer (``null``, ``guest``). Compared after normalisation, ignoring case."""
    blocked_patterns: tuple[Pattern, ...] = ()
    r"""Regular expressions of RE2: no back-references, no look-around; ``\w`` and ``\d`` are ASCII. Blocks normalised
    values that match one completely, ignoring case."""


PLACEHOLDER_VALUES = frozenset({
    "-", "-1", "0", "anonymous", "empty", "false", "guest", "n/a", "na", "nan", "nil", "none", "null", "true",
    "undefined", "unknown",
})  # fmt: skip
"""Values that broken clients and placeholder accounts send instead of an identifier."""
ZEROS = r"[0-]+"
"""Advertising ids of devices with tracking disabled: a UUID of zeros."""
REPEATED_DIGIT = r"\+\d{1,3}(" + "|".join(f"{digit}{{7,}}" for digit in range(10)) + ")"
"""Telephone numbers of one digit."""


DEFAULT_TYPES: tuple[IdentifierType, ...] = (
    IdentifierType(name="user_id", priority=10, blocked_values=PLACEHOLDER_VALUES),
    IdentifierType(name="crm_contact_id", priority=20, blocked_values=PLACEHOLDER_VALUES),
    IdentifierType(name="loyalty_id", priority=30, blocked_values=PLACEHOLDER_VALUES, blocked_patterns=(ZEROS,)),
    IdentifierType(
        name="email",
        priority=40,
        normalise="email",
        blocked_patterns=(r"(no|do-?not)[-_.]?reply@.*", r"(null|none|undefined|unknown|anonymous|guest)@.*"),
    ),
    IdentifierType(name="phone", priority=50, normalise="phone", blocked_patterns=(REPEATED_DIGIT,)),
    IdentifierType(
        name="device_id", priority=60, normalise="lower", blocked_values=PLACEHOLDER_VALUES, blocked_patterns=(ZEROS,)
    ),
    IdentifierType(name="anonymous_id", priority=70, blocked_values=PLACEHOLDER_VALUES, blocked_patterns=(ZEROS,)),
    IdentifierType(name="click_id", priority=80, blocked_values=PLACEHOLDER_VALUES),
)
"""The default types, strongest first: proven by a log-in, assigned by a business, shareable, kept by a browser."""
