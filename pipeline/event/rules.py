"""What INTAKE can be told: limits on events, where money is found, and which identifier types exist."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from pipeline.event.duration import DAY_MS, MINUTE_MS
from pipeline.event.form import Duration, Pattern, choice

Count: TypeAlias = Annotated[int, Meta(ge=1)]


class IntakeRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``intake.yaml``: what makes an event acceptable, and how its money, phones and links are read."""

    max_event_bytes: Count = 256 * 1024
    """An encoded event above this size is quarantined as ``too_large``."""
    max_identifiers: Count = 32
    """Identifiers one event may carry: each pair with the anchor is a link."""
    max_fields: Count = 512
    """Top-level entries of each of properties, context and traits."""
    max_depth: Count = 16
    """Levels of nesting within properties, context and traits."""
    future_tolerance_ms: Duration = 5 * MINUTE_MS
    """How far an event's time may lie ahead of now: clocks differ."""
    retention_ms: Duration = 400 * DAY_MS
    """Events older than this are quarantined as ``too_old``: their windows and ledgers are closed."""
    dedupe_window_ms: Duration = DAY_MS
    """Two events of one message id whose own times are at most this far apart are one event, however late the second
    arrives. At least three times as far apart they are two, for the sender has used the id again; in between they may
    be either. 0: no event is ever a repetition."""
    dedupe_memory_ms: Duration = 400 * DAY_MS
    """How long message ids are kept, behind the newest event: a repetition of an event older than this counts again.
    As long as ``retention`` no event that is taken can be one; never shorter than the window. An id costs about 20
    bytes of state. A replay keeps all ids."""
    default_country: Annotated[str, Meta(pattern="^([A-Z]{2})?$")] = "US"
    """ISO 3166 country of phone numbers written without ``+``. Empty: such numbers are not identifiers."""
    default_currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "USD"
    """ISO 4217 currency of amounts that do not name theirs."""
    amount_fields: tuple[str, ...] = ("revenue", "total", "value", "amount", "price")
    """Properties that hold the event's money; the first one with a number counts. ``<name>_minor``, an integer in
    minor units, goes before ``<name>``."""
    currency_field: str = "currency"
    """Property that names the currency of the amount."""
    click_id_parameters: tuple[str, ...] = (
        "gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "epik", "sccid",
    )  # fmt: skip
    """Query parameters of a page's URL whose value identifies one click on an ad."""
    link_refresh_ms: Duration = DAY_MS
    """A known link is told to STITCH again when it was seen this much later than STITCH last heard."""
    known_links_cap: Count = 1000
    """Links remembered per anchor. The longest unseen are forgotten beyond it: if seen again they count as new."""


class IdentifierType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One type of identifier, as far as INTAKE needs to know it."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$", max_length=32)]
    priority: Annotated[int, Meta(ge=0)]
    """Lower is stronger. The strongest identifier of an event is its anchor."""
    normalise: Annotated[str, choice(("text", "lower", "email", "phone"))] = "text"
    """Name of the normaliser: ``text`` (trimmed), ``lower`` (and in lower case), ``email``, ``phone``."""
    blocked_values: frozenset[str] = frozenset()
    """Values that say nothing about who it is (``null``, ``guest``). Compared without regard to case, after
    normalisation."""
    blocked_patterns: tuple[Pattern, ...] = ()
    r"""Regular expressions of RE2, without back-references and look-around; ``\w`` and ``\d`` are ASCII. A normalised
    value that matches one as a whole, in any case, is blocked."""


PLACEHOLDER_VALUES = frozenset({
    "-", "-1", "0", "anonymous", "empty", "false", "guest", "n/a", "na", "nan", "nil", "none", "null", "true",
    "undefined", "unknown",
})  # fmt: skip
"""What broken clients and placeholder accounts send in place of an identifier."""
ZEROS = r"[0-]+"
"""Advertising ids of people who opted out: zeros in the shape of a UUID."""
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
"""Strong to weak: what a customer proves by logging in, what a business assigned, what can be shared, what a browser
keeps."""
