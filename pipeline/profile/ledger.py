"""A ledger: everything one anchor's events contributed, as a commutative monoid.

``merge(a, b) == merge(b, a)``, ``merge`` is associative, and an empty ledger is neutral, byte for byte in
:func:`encode_ledger`. State is integers, extremes and sets; every float is computed when read. What each part promises:

* counters and sums in time buckets (:mod:`pipeline.profile.buckets`);
* first and last touch, traits: by (event time, event id), ties by text;
* consent: the newest statement on a purpose, at one instant the most restrictive;
* identifiers: first and last time seen; timeline and CRM activities: the newest 20 of each by (event time, event id);
* occurrences of score rules: counts in hours or days, and in total;
* episodes of triggers: the highest number; of one number the earliest opening and the latest closing;
* whose the identifiers are: what STITCH decided last;
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
"""Raised when the meaning of a field changes; fields are only ever added at the end, with defaults."""

Touchpoint: TypeAlias = tuple[int, str, str, str, str, str]
"""(event time in ms, event id, channel, type, event name, JSON text of campaign and referrer or "")."""
Trait: TypeAlias = tuple[int, str, str, Any]
"""(event time in ms, event id, channel, value): the value with its provenance; the event id begins with the source."""
Accounts: TypeAlias = dict[str, dict[str, Trait]]
"""Account id to the traits of the account."""
MAX_ACCOUNTS: Final = 64
"""Accounts kept in one ledger: those first by name, so that what is kept depends on the set alone."""
Consent: TypeAlias = tuple[int, int, str]
"""(event time in ms, 1 if denied, event id)."""
Span: TypeAlias = tuple[int, int]
"""(first, last) event time in ms."""
Owned: TypeAlias = tuple[int, bool]
"""(STITCH's number of the decision, whether the identifier is the customer's)."""
Aggregates: TypeAlias = dict[str, dict[str, Cells]]


UNSURE: Final = "?"
"""Two views of one episode were joined that had said different things of it."""


OWN: Final[Owned] = (0, True)


class Episode(msgspec.Struct, array_like=True, gc=False):
    """A trigger's latest firing booked in this ledger; open until the trigger re-arms."""

    number: int
    opened_ms: int
    closed_ms: int = 0
    """0 while open."""
    duplicate_of: str = ""
    """The action that this firing was last said to duplicate; "" if it was said to be a lead; UNSURE: one of both."""
    anchor: Identifier = ""
    """The anchor in whose ledger it was opened, where that is another than the one that keeps it."""


class Ledger(msgspec.Struct, array_like=True, gc=False):
    """One anchor's contribution to its profile."""

    format: int = LEDGER_FORMAT
    touches: int = 0
    first: Touchpoint | None = None
    last: Touchpoint | None = None
    identifiers: dict[Identifier, Span] = {}
    traits: dict[str, Trait] = {}
    consent: dict[str, Consent] = {}
    """``purpose`` or ``purpose/channel`` to the newest statement."""
    timeline: list[Line] = []
    """Oldest first."""
    aggregates: Aggregates = {}
    """``kind:name`` (``sessions@gap:name``) to group (a currency, or "") to cells."""
    occurrences: dict[str, Occurrences] = {}
    episodes: dict[str, Episode] = {}
    activities: list[Line] = []
    """What happened in the CRM, apart from the timeline so that a burst of page views pushes no call out."""
    cart: CartLog | None = None
    journey: Journey | None = None
    owned: dict[Identifier, Owned] = {}
    """What STITCH decided about ``identifiers``; those without a decision are the customer's."""
    set_once: dict[str, Trait] = {}
    """The oldest value of each trait that was set once; it counts where :attr:`traits` has none."""
    accounts: Accounts = {}
    """What group calls state: of an account, never of the person."""
    orders: Orders = {}
    """The newest orders, by a hash of their id: what keeps one order from counting twice, and refunds from more."""

    def own_identifiers(self) -> dict[Identifier, Span]:
        """Returns those of ``identifiers`` that are the customer's now."""
        owned = self.owned
        if not owned:
            return self.identifiers
        return {ident: span for ident, span in self.identifiers.items() if owned.get(ident, OWN)[1]}

    def foreign_identifiers(self) -> list[Identifier]:
        """The identifiers that are not the customer's: another customer's, or isolated."""
        return [ident for ident, (_, own) in self.owned.items() if not own]


_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_DECODER: Final = msgspec.msgpack.Decoder(Ledger)


def encode_ledger(ledger: Ledger) -> bytes:
    """The canonical bytes: equal ledgers give equal bytes, whatever order they were folded in."""
    return _ENCODER.encode(ledger)


def decode_ledger(data: bytes | msgspec.Raw) -> Ledger:
    """The ledger of :func:`encode_ledger`.

    Raises:
        msgspec.DecodeError: Not a ledger.
    """
    return _DECODER.decode(data)


def newer_trait(one: Trait, other: Trait) -> Trait:
    """The later by (event time, event id); two values under one id are ordered by their text."""
    if one[:2] != other[:2]:
        return one if one[:2] > other[:2] else other
    return max(one, other, key=lambda trait: (trait[2], msgspec.json.encode(trait[3], order="deterministic")))


def older_trait(one: Trait, other: Trait) -> Trait:
    """The earlier by (event time, event id); two values under one id are ordered by their text."""
    return one if newer_trait(one, other) is other else other


def join_accounts(one: Accounts, other: Accounts) -> Accounts:
    """What both state of accounts."""
    joined = _union(one, other, lambda a, b: _union(a, b, newer_trait))
    return joined if len(joined) <= MAX_ACCOUNTS else dict(sorted(joined.items())[:MAX_ACCOUNTS])


def join_episodes(one: Episode, other: Episode) -> Episode:
    """The later episode; two views of the same one agree on the earliest opening and the latest closing.

    What they last said of it they need not agree on: then it is to be said again.
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
    """The ledger of both histories, which must be disjoint. The result may share parts with both: use them no more."""
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
