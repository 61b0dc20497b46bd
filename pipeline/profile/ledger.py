"""A ledger: the contribution of one anchor's events to a profile, as a commutative monoid.

``merge(a, b) == merge(b, a)``, ``merge`` is associative, and an empty ledger is neutral, byte for byte in
:func:`encode_ledger`. The state consists of integers, extremes and sets; floats are computed when read. The parts:

* counters and sums in time buckets (:mod:`pipeline.profile.buckets`);
* first and last touch, traits: by (event time, event id), ties by text;
* consent: the newest statement on a purpose, at one instant the most restrictive;
* identifiers: first and last time seen; timeline and CRM activities: the newest 20 of each by (event time, event id);
* occurrences of score rules: counts in hours or days, and in total;
* episodes of triggers: the highest number; of one number the earliest opening and the latest closing;
* ownership of the identifiers: STITCH's last decision;
* cart: the newest purchase and the newest 50 item events after it; journey: the oldest 10 and the newest 40 marketing
  touches, the newest 20 conversions, costs by campaign (:mod:`pipeline.profile.journey.kept`).
"""

from typing import Any, Final, TypeAlias

import msgspec

from pipeline.event.identifier import Identifier
from pipeline.profile.buckets import Cells, merge_cells
from pipeline.profile.journey.kept import CartLog, Journey, merge_carts, merge_journeys
from pipeline.profile.kinds import kind_of
from pipeline.profile.occurrences import Occurrences, merge_occurrences
from pipeline.profile.orders import Orders, join_orders
from pipeline.profile.timeline import Line, merge_timelines

LEDGER_FORMAT: Final = 1
"""Increases when the meaning of a field changes. New fields are added only at the end, with defaults."""

Touchpoint: TypeAlias = tuple[int, str, str, str, str, str]
"""(event time in ms, event id, channel, type, event name, JSON text of campaign and referrer or "")."""
Trait: TypeAlias = tuple[int, str, str, Any]
"""(event time in ms, event id, channel, value): the value with its provenance; the event id begins with the source."""
Accounts: TypeAlias = dict[str, dict[str, Trait]]
"""Traits of accounts, by account id."""
MAX_ACCOUNTS: Final = 64
"""Accounts kept in one ledger. Those first by name are kept, so that the selection depends only on the set."""
Consent: TypeAlias = tuple[int, int, str]
"""(event time in ms, 1 if denied, event id)."""
Span: TypeAlias = tuple[int, int]
"""(first, last) event time in ms."""
Owned: TypeAlias = tuple[int, bool]
"""(STITCH's number of the decision, whether the identifier is the customer's)."""
Aggregates: TypeAlias = dict[str, dict[str, Cells]]


UNSURE: Final = "?"
"""``duplicate_of`` after a merge of two views of one episode with different published roles."""


OWN: Final[Owned] = (0, True)


class Episode(msgspec.Struct, array_like=True, gc=False):
    """The latest firing of a trigger in this ledger. It is open until the trigger re-arms."""

    number: int
    opened_ms: int
    closed_ms: int = 0
    """When it was closed, in ms since 1970; 0 while open."""
    duplicate_of: str = ""
    """The last published role: the action that this firing duplicates, "" if it is a lead, UNSURE if not known."""
    anchor: Identifier = ""
    """The anchor of the ledger in which it was opened, if that is another ledger."""


class Ledger(msgspec.Struct, array_like=True, gc=False):
    """One anchor's contribution to its profile."""

    format: int = LEDGER_FORMAT
    touches: int = 0
    first: Touchpoint | None = None
    last: Touchpoint | None = None
    identifiers: dict[Identifier, Span] = {}
    traits: dict[str, Trait] = {}
    consent: dict[str, Consent] = {}
    """The newest statement by ``purpose`` or ``purpose/channel``."""
    timeline: list[Line] = []
    """Oldest first."""
    aggregates: Aggregates = {}
    """Cells by ``kind:name`` (``sessions@gap:name``), then by group (a currency, or "")."""
    occurrences: dict[str, Occurrences] = {}
    episodes: dict[str, Episode] = {}
    activities: list[Line] = []
    """CRM activities. They are separate from the timeline so that a burst of page views does not displace them."""
    cart: CartLog | None = None
    journey: Journey | None = None
    owned: dict[Identifier, Owned] = {}
    """STITCH's decisions about ``identifiers``. Those without a decision belong to the customer."""
    set_once: dict[str, Trait] = {}
    """The oldest ``$set_once`` value of each trait. It counts if :attr:`traits` has no value."""
    accounts: Accounts = {}
    """The traits of group calls, which describe an account and never the person."""
    orders: Orders = {}
    """The newest orders by a hash of their id. They prevent double counting, and refunds above the order's amount."""

    def own_identifiers(self) -> dict[Identifier, Span]:
        """Returns the ``identifiers`` that belong to the customer now."""
        owned = self.owned
        if not owned:
            return self.identifiers
        return {ident: span for ident, span in self.identifiers.items() if owned.get(ident, OWN)[1]}

    def foreign_identifiers(self) -> list[Identifier]:
        """Returns the identifiers that belong to another customer or are isolated."""
        return [ident for ident, (_, own) in self.owned.items() if not own]


_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_DECODER: Final = msgspec.msgpack.Decoder(Ledger)


def encode_ledger(ledger: Ledger) -> bytes:
    """Returns canonical bytes: equal ledgers have equal bytes, whatever the order of folding."""
    return _ENCODER.encode(ledger)


def decode_ledger(data: bytes | msgspec.Raw) -> Ledger:
    """Decodes the bytes of :func:`encode_ledger`.

    Raises:
        msgspec.DecodeError: The bytes are not a ledger.
    """
    return _DECODER.decode(data)


def newer_trait(one: Trait, other: Trait) -> Trait:
    """Returns the later by (event time, event id). Two values under one id are ordered by their text."""
    if one[:2] != other[:2]:
        return one if one[:2] > other[:2] else other
    return max(one, other, key=lambda trait: (trait[2], msgspec.json.encode(trait[3], order="deterministic")))


def older_trait(one: Trait, other: Trait) -> Trait:
    """Returns the earlier by (event time, event id). Two values under one id are ordered by their text."""
    return one if newer_trait(one, other) is other else other


def join_accounts(one: Accounts, other: Accounts) -> Accounts:
    """Returns the accounts of both, with the newer value of each trait."""
    joined = _union(one, other, lambda a, b: _union(a, b, newer_trait))
    return joined if len(joined) <= MAX_ACCOUNTS else dict(sorted(joined.items())[:MAX_ACCOUNTS])


def join_episodes(one: Episode, other: Episode) -> Episode:
    """Returns the later episode. Two views of one episode merge into the earliest opening and the latest closing.

    If their last published roles differ, the role becomes UNSURE, so that it is published again.
    """
    if one.number != other.number:
        return one if one.number > other.number else other
    return Episode(
        one.number,
        min(one.opened_ms, other.opened_ms),
        max(one.closed_ms, other.closed_ms),
        one.duplicate_of if one.duplicate_of == other.duplicate_of else UNSURE,
        max(one.anchor, other.anchor),
    )


def _join_spans(one: Span, other: Span) -> Span:
    return min(one[0], other[0]), max(one[1], other[1])


def _merge_aggregates(one: Aggregates, other: Aggregates) -> Aggregates:
    merged = dict(one)
    for key, groups in other.items():
        add_cells = kind_of(key.partition(":")[0]).add
        merged[key] = _union(merged.get(key, {}), groups, lambda a, b, add=add_cells: merge_cells(a, b, add))
    return merged


def _union(one: dict[str, Any], other: dict[str, Any], join: Any) -> dict[str, Any]:
    merged = dict(one)
    for key, value in other.items():
        merged[key] = join(merged[key], value) if key in merged else value
    return merged


def merge(one: Ledger, other: Ledger) -> Ledger:
    """Returns the ledger of two disjoint histories. It may share parts with both arguments: do not use them again."""
    return Ledger(
        LEDGER_FORMAT,
        one.touches + other.touches,
        min((t for t in (one.first, other.first) if t is not None), default=None),
        max((t for t in (one.last, other.last) if t is not None), default=None),
        _union(one.identifiers, other.identifiers, _join_spans),
        _union(one.traits, other.traits, newer_trait),
        _union(one.consent, other.consent, max),
        merge_timelines(one.timeline, other.timeline),
        _merge_aggregates(one.aggregates, other.aggregates),
        _union(one.occurrences, other.occurrences, merge_occurrences),
        _union(one.episodes, other.episodes, join_episodes),
        merge_timelines(one.activities, other.activities),
        merge_carts(one.cart, other.cart),
        merge_journeys(one.journey, other.journey),
        _union(one.owned, other.owned, max),
        _union(one.set_once, other.set_once, older_trait),
        join_accounts(one.accounts, other.accounts),
        join_orders(one.orders, other.orders),
    )
