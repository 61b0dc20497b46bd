"""The forms of requests and answers, for the API's description. Fields of profiles are those of the Avro schemas."""

from typing import Annotated, Any

import msgspec

from pipeline.profile.records import FirstOrLastTouch, Windows
from pipeline.serve.api.problems import Problem
from pipeline.serve.read.feed import Changes
from pipeline.serve.read.overview import Totals
from pipeline.serve.read.pages import Page
from pipeline.serve.read.preview import Preview
from pipeline.serve.read.profiles import MAX_BATCH
from pipeline.serve.read.timeline import TimelinePage

Object = dict[str, Any]


class Profile(msgspec.Struct, kw_only=True):
    """A profile as of its last update: the record of the topic of profile updates. Only selected fields are present."""

    profile_id: str
    requested_id: str = ""
    """The id of the request, if its profile was merged into this one."""
    tenant: str = ""
    status: str = ""
    merged_into: str = ""
    version: int = 0
    as_of_ms: int = 0
    first_seen_ms: int = 0
    last_seen_ms: int = 0
    identifiers: list[str] = []
    traits: Object = {}
    aggregates: dict[str, Windows] = {}
    scores: dict[str, float] = {}
    grade: str = ""
    segments: list[str] = []
    first_touch: FirstOrLastTouch = FirstOrLastTouch()
    last_touch: FirstOrLastTouch = FirstOrLastTouch()
    consent: Object = {}
    predictions: dict[str, float] = {}
    cart: Any = {}
    rules_version: str = ""


class LookupRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of identifiers and ids."""

    ids: Annotated[list[Annotated[str, msgspec.Meta(min_length=1, max_length=500)]], msgspec.Meta(max_length=MAX_BATCH)]
    fields: list[str] = []
    """Fields of the profiles; empty: all."""


class LookedUp(msgspec.Struct):
    """The answer to one of a batch."""

    requested: str
    profile: Profile | None
    problem: str = ""
    """Why there is no profile: not-found or not-an-identifier."""


class LookupAnswer(msgspec.Struct):
    """The answers, in the order of the request."""

    profiles: list[LookedUp]


class PreviewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A condition to count customers for."""

    when: Annotated[str, msgspec.Meta(min_length=1, max_length=5000)]


class Mistake(msgspec.Struct):
    """What is wrong with a condition."""

    message: str
    position: int
    """Index of the character, from 0."""
    instead: str
    """What to write instead, or ""."""


class PreviewAnswer(msgspec.Struct):
    """The count of a condition, or the mistake in it."""

    preview: Preview | None = None
    mistake: Mistake | None = None


class ScoreAnswer(msgspec.Struct):
    """Scores as of now; the contributions of each sum exactly to its value."""

    profile_id: str
    as_of_ms: int
    grade: str
    scores: list[Object]


class DetailAnswer(msgspec.Struct):
    """Everything known of a profile as of now: `stitchline profile show --json`."""

    profile_id: str
    tenant: str
    as_of_ms: int


class SegmentsOfProfile(msgspec.Struct):
    """A profile's segments and its entries and exits, newest first."""

    profile_id: str
    segments: list[str]
    history: list[Object]


class SegmentList(msgspec.Struct):
    """Every segment with its number of members."""

    segments: list[Object]


class IdentityAnswer(msgspec.Struct):
    """A customer's identifiers, links and rejected links."""

    profile_id: str
    founder: str
    identifiers: list[str]
    links: list[Object]
    rejected: list[Object]
    complete: bool
    """Whether every link was followed."""


class WhyAnswer(msgspec.Struct):
    """Why two identifiers are one customer or not."""

    identifiers: list[str]
    together: bool
    profile_ids: list[str]
    path: list[Object]
    obstacles: list[Object]
    complete: bool


class GraphAnswer(msgspec.Struct):
    """A customer's graph."""

    profile_id: str
    nodes: list[Object]
    links: list[Object]


class HouseholdAnswer(msgspec.Struct):
    """The households of a profile."""

    households: list[Object]


class AccountAnswer(msgspec.Struct):
    """An account with its traits and members."""

    account_id: str
    tenant: str
    traits: Object
    profile_ids: list[str]
    totals: dict[str, int]
    """Sums of the members' counts and sums over their lifetimes; money in minor units, under `name.CURRENCY`."""


class LeadAnswer(msgspec.Struct):
    """A CRM action: the record of the topic of CRM actions, with its revisions and deliveries."""

    action_id: str
    profile_id: str
    owner: str
    owner_reason: str
    revisions: list[Object]
    deliveries: list[Object]


class ReportAnswer(msgspec.Struct):
    """The attribution report."""

    model: str
    by: str
    profiles: int
    conversions: int
    lines: list[Object]
    total: Object


class SearchAnswer(msgspec.Struct):
    """The first profiles that match."""

    profiles: list[Profile]


class OverviewAnswer(msgspec.Struct):
    """Totals of the tenant, and how far the read model is behind the topics."""

    totals: Totals
    lag_records: int
    age_ms: int
    """Time since the writer stored its progress."""
    caught_up: bool


COMPONENTS: tuple[type, ...] = (
    Problem, Profile, LookupRequest, LookupAnswer, PreviewRequest, PreviewAnswer, ScoreAnswer, DetailAnswer,
    SegmentsOfProfile, SegmentList, IdentityAnswer, WhyAnswer, GraphAnswer, HouseholdAnswer, AccountAnswer, LeadAnswer,
    ReportAnswer, SearchAnswer, OverviewAnswer, Page, TimelinePage, Changes,
)  # fmt: skip
"""Every struct that the description refers to."""
