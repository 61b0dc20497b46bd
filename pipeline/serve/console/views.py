"""What the pages show: plain values, as the readers of :mod:`pipeline.serve.console.data` return them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from pipeline.privacy.progress import RequestProgress
from pipeline.privacy.receipt import LogLimit
from pipeline.query.flow import StageFlow
from pipeline.query.graph import Graph
from pipeline.query.quarantine import Entry
from pipeline.rules.problem import Problem
from pipeline.serve.read.preview import Preview as Counted
from pipeline.serve.receipts import SentRequest

JsonObject: TypeAlias = dict[str, Any]


class Totals(NamedTuple):
    """The figures of the overview."""

    customers: int
    merges: int
    leads: int
    duplicates: int
    quarantined: int
    state: "ReadState"


class ReadState(NamedTuple):
    """How far the read model is: whether the figures of a page are those of the topics."""

    is_followed: bool
    """Whether a writer has reported lately. If not, the figures stand still."""
    is_complete: bool
    """Whether the writer has been at the end of the topics since the last rebuild. If not, the figures are too low."""
    behind_records: int
    written_ms: int
    """Time of the writer's last report; 0 if there is none."""


class Sample(NamedTuple):
    """The rates of one moment, by stage."""

    at_ms: int
    flows: Sequence[StageFlow]


class Happening(NamedTuple):
    """A line of the live feed."""

    kind: str
    """``merged``, ``split``, ``lead``, ``duplicate_of``, ``entered`` or ``exited``."""
    timestamp_ms: int
    profile_id: str
    what: str
    """The trigger, the segment or the other profile."""


class CustomerLine(NamedTuple):
    """A customer in a list."""

    profile_id: str
    name: str
    identifiers: Sequence[str]
    last_seen_ms: int
    score: float
    grade: str


class Membership(NamedTuple):
    """A time in a segment. ``since_ms`` is 0 if it began before the log; ``until_ms`` is 0 while it lasts."""

    segment: str
    since_ms: int
    until_ms: int


class Lead(NamedTuple):
    """A CRM action's highest revision, and what each CRM holds for it."""

    action: JsonObject
    deliveries: Sequence[JsonObject]


class Customer(NamedTuple):
    """Everything on a customer's page."""

    view: JsonObject
    """:func:`~pipeline.profile.view.profile_view` now."""
    requested_id: str
    """The requested id, if it was merged into this profile since; else ""."""
    memberships: Sequence[Membership]
    changes: Sequence[JsonObject]
    """Identity changes, newest first."""
    leads: Sequence[Lead]


class CustomerGraph(NamedTuple):
    """A customer's identifiers and links, and the types among them from strong to weak."""

    graph: Graph
    kinds: Sequence[str]


class AccountLine(NamedTuple):
    """An account in a list."""

    account_id: str
    members: int
    last_seen_ms: int
    top_score: float


class Total(NamedTuple):
    """A sum over the members of an account. ``currency`` is empty if it is a count."""

    name: str
    value: int
    currency: str


class AccountPage(NamedTuple):
    """Everything on an account's page."""

    account_id: str
    traits: JsonObject
    member_ids: Sequence[str]
    members: Sequence[CustomerLine]
    """Those with the highest scores."""
    totals: Sequence[Total]
    leads: Sequence[Lead]
    """The newest of the shown members."""


class SegmentLine(NamedTuple):
    """A segment with the number of its members."""

    name: str
    when: str
    description: str
    members: int


class Preview(NamedTuple):
    """What a condition selects."""

    counted: Counted
    sample: Sequence[CustomerLine]


class TriggerLine(NamedTuple):
    """A trigger in words."""

    name: str
    fires: str
    arms: str
    limits: str


class SourceLine(NamedTuple):
    """A sender that the collector takes events from."""

    name: str
    channel: str
    dialects: Sequence[str]
    webhooks: Sequence[str]
    origins: Sequence[str]
    write_keys: int


class RuleSet(NamedTuple):
    """The rules that the console and the commands read by."""

    version: str
    published: str
    """The version in the newest profile updates; other than ``version`` while workers run other rules."""
    texts: Mapping[str, str]
    """File name to text."""
    stand_ins: Sequence[str]
    """Names of the files that the directory lacks: the shipped ones stand in."""
    changed: Sequence[str] = ()
    """Names of the files that were changed after the server loaded them: it still reads by the old ones."""


class RuleComparison(NamedTuple):
    """What proposed rules would change for the stored customers, or the problems in them."""

    problems: Sequence[Problem] = ()
    version: str = ""
    merges: int = 0
    """New customers that combine several of today's."""
    splits: int = 0
    merged: Sequence[tuple[str, int]] = ()
    """Some of the merges: the founder, and how many of today's customers it combines."""
    split: Sequence[tuple[str, int]] = ()
    too_many_identifiers: bool = False
    """Whether identities were not compared, because the command line has to do it."""
    segments: Sequence[tuple[str, int | None, int | None]] = ()
    """Segment, members now, members then; None where it is not declared."""
    triggers: Sequence[tuple[str, int | None, int | None]] = ()
    """Trigger, firing now, firing then."""
    profiles: int = 0
    """Customers on which both were evaluated; fewer than ``total`` are a random sample."""
    total: int = 0


class QuarantinedRecord(NamedTuple):
    """A quarantined record with its bytes, for a role that may see them."""

    entry: Entry
    decoded: JsonObject | None
    fault: str
    """Why it cannot be decoded; "" if it can."""
    size_bytes: int


class PersonRequest(NamedTuple):
    """A request about a person, and what became of it."""

    request_id: str
    """The part of the id behind ``decision/``."""
    sent: SentRequest | None
    """None if it was sent by a command or the API."""
    progress: RequestProgress | None
    """None until STITCH has decided it."""
    limits: Sequence[LogLimit] = ()
    """Until when each topic holds older records, for an erasure whose topics were not searched."""
    is_searching: bool = False

    @property
    def kind(self) -> str:
        """``erase``, ``opt_out`` or ``opt_in``."""
        return self.progress.kind if self.progress else self.sent.kind if self.sent else ""

    @property
    def at_ms(self) -> int:
        """When it was sent."""
        return self.progress.requested_ms if self.progress else self.sent.sent_ms if self.sent else 0

    @property
    def is_changing(self) -> bool:
        """Whether the page is to be looked at again."""
        return self.progress is None or not self.progress.is_complete or self.is_searching


class Page(NamedTuple):
    """A part of a list, and the cursor of the next; "" at the end."""

    items: Sequence[Any]
    next: str = ""
