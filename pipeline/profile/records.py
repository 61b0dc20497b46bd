"""PROFILE's output records: profile updates, segment changes, CRM actions, and leads, which carry actions to ROUTE.

The first three are public. They and their nested structs have the same fields, order and defaults as the schemas in
``schemas/*.avsc``, because the Avro writer reads them without conversion. The schemas document the fields.
"""

from typing import Any, Final

import msgspec

EMPTY_OBJECT: Final = "{ }"
"""The schemas' default of fields with a JSON object as text."""


class Windows(msgspec.Struct, frozen=True, gc=False):
    """One aggregate over the published windows."""

    last_1h: int = 0
    last_24h: int = 0
    last_7d: int = 0
    last_30d: int = 0
    last_90d: int = 0
    lifetime: int = 0


class FirstOrLastTouch(msgspec.Struct, frozen=True, gc=False):
    """The oldest or newest touch of a profile; all fields are empty if there is none."""

    timestamp_ms: int = 0
    channel: str = ""
    name: str = ""
    campaign: str = ""
    event_id: str = ""


NO_TOUCH: Final = FirstOrLastTouch()


class ProfileUpdate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The current state of a profile: ``profile-update.avsc``."""

    profile_id: str = ""
    tenant: str = ""
    status: str = "active"
    merged_into: str = ""
    version: int = 0
    as_of_ms: int = 0
    first_seen_ms: int = 0
    last_seen_ms: int = 0
    identifiers: list[str] = []
    traits: str = EMPTY_OBJECT
    aggregates: dict[str, Windows] = {}
    scores: dict[str, float] = {}
    grade: str = ""
    segments: list[str] = []
    first_touch: FirstOrLastTouch = NO_TOUCH
    last_touch: FirstOrLastTouch = NO_TOUCH
    consent: str = EMPTY_OBJECT
    predictions: dict[str, float] = {}
    cart: str = EMPTY_OBJECT
    rules_version: str = ""


class SegmentChange(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A profile entered or left a segment: ``segment-change.avsc``."""

    event_id: str = ""
    tenant: str = ""
    profile_id: str = ""
    segment: str = ""
    change: str = ""
    timestamp_ms: int = 0
    contact: str = EMPTY_OBJECT


class ActionContribution(msgspec.Struct, frozen=True, gc=False):
    """The contribution of one rule to the score of an action."""

    rule: str = ""
    group: str = ""
    points: float = 0.0
    occurrences: int = 0


class TimelineEntry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One of the most recent touches in an action."""

    timestamp_ms: int = 0
    channel: str = ""
    type: str = ""
    name: str = ""
    event_id: str = ""
    summary: str = ""


class CrmAction(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An action for the CRM about a customer: ``crm-action.avsc``."""

    action_id: str = ""
    tenant: str = ""
    profile_id: str = ""
    trigger: str = ""
    episode: int = 0
    kind: str = "lead"
    duplicate_of: str = ""
    timestamp_ms: int = 0
    score: float = 0.0
    threshold: float = 0.0
    contributions: list[ActionContribution] = []
    identifiers: list[str] = []
    contact: dict[str, str] = {}
    consent: str = EMPTY_OBJECT
    timeline: list[TimelineEntry] = []
    owner: str = ""
    """Set by ROUTE, like ``owner_reason`` and ``revision``."""
    owner_reason: str = ""
    event: str = "reached"
    segment: str = ""
    grade: str = ""
    predictions: dict[str, float] = {}
    cart: str = EMPTY_OBJECT
    revision: int = 1


class Lead(msgspec.Struct, array_like=True, gc=False, tag="lead", tag_field="record"):
    """A CRM action without an owner, and the facts about the customer that only routing reads.

    The leads topic carries one message per action, keyed by tenant, in log order.
    """

    tenant: str
    action: CrmAction
    traits: dict[str, Any] = {}
    """The profile's traits, without their provenance."""
    channel: str = ""
    """Channel of the last touch."""
    campaign: str = ""
    """Campaign of the last touch; empty if it came from none."""
    segments: list[str] = []
    """The profile's segments when the action was decided, sorted."""
