"""Interfaces of the profile: compiled bookings, and from other packages scores, decisions and timers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pipeline.event.identifier import Identifier
from pipeline.profile.filter import Filter, Test
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.orders import Share
from pipeline.profile.records import Lead, SegmentChange
from pipeline.profile.row import ProfileRow


class Contribution(NamedTuple):
    """The contribution of one rule to a score."""

    rule: str
    group: str
    points: float
    """A multiple of 1/1024, so that adding contributions is exact in every order."""
    occurrences: int
    """The matches of the rule that still count."""


class Score(NamedTuple):
    """A score: the exact sum of its contributions."""

    name: str
    value: float
    contributions: tuple[Contribution, ...]


class Scorer(Protocol):
    """Reads scores from ledgers. Results depend only on the touches and ``as_of_ms`` (not before the newest touch)."""

    def values(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """Returns the value of every score by name, without contributions."""
        ...

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> list[Score]:
        """Returns every score with its contributions, sorted by name."""
        ...

    def grade(self, values: Mapping[str, float]) -> str:
        """Returns the grade of the scores' values, such as ``A1``; "" if the rules declare no grades."""
        ...


class SegmentStateLike(Protocol):
    """The state of a profile in a segment."""

    @property
    def inside(self) -> bool:
        """Whether the profile is a member."""
        ...

    @property
    def due_ms(self) -> int:
        """The time before which only a booking can change the membership, in ms since 1970."""
        ...

    @property
    def watch_bits(self) -> int:
        """Bits of which a booking must have one to change the membership before ``due_ms``."""
        ...


class Segmenter(Protocol):
    """Reads segments from ledgers. Bit ``i`` of a mask is the segment ``names[i]``."""

    @property
    def names(self) -> Sequence[str]:
        """The segments, each after the segments that it reads."""
        ...

    @property
    def source(self) -> str:
        """The source of the functions generated from the conditions."""
        ...

    def evaluate(
        self, ledgers: Sequence[Ledger], as_of_ms: int, mask: int | None = None
    ) -> Mapping[str, SegmentStateLike]:
        """Returns states by name, for the segments of a mask or for all (None)."""
        ...


class Forecast(Protocol):
    """Predicts a customer's behaviour from ledgers, with a fitted model."""

    def read(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float | int | str]:
        """Returns predictions by name; empty without a model or without data to predict from."""
        ...

    def numbers(self, ledgers: Sequence[Ledger], as_of_ms: int) -> dict[str, float]:
        """Returns only the numeric predictions."""
        ...


class Booked(NamedTuple):
    """The effects of booking a touch that the :class:`Decider` needs."""

    given: int
    """Upper bound of the added points, over all scores."""
    taken: int
    changed_bits: int
    """Bit set of the decisions that may change, as the :class:`Decider` numbers them."""
    order: str = ""
    """The key of the order that the touch is about; "" if it is about none."""


class Booking(Protocol):
    """Books the touches that one rule matches: those its filter admits and that pass its tests."""

    @property
    def filter(self) -> Filter:
        """Which touches can match, by channel, type and name."""
        ...

    @property
    def tests(self) -> tuple[Test, ...]:
        """The tests that a touch must pass besides the filter."""
        ...

    @property
    def points(self) -> int:
        """The most points that a match adds to its score or subtracts from it."""
        ...

    @property
    def changed_bits(self) -> int:
        """Bit set of the decisions that a match may change."""
        ...

    @property
    def sums_money(self) -> str:
        """The key of the aggregate if it sums the event's money, else ""."""
        ...

    def book(self, ledger: Ledger, touch: Touch) -> None:
        """Books a matching touch, in place."""
        ...

    def note(self, share: Share, touch: Touch) -> None:
        """Notes in an order's share what booking the touch adds, as far as it can be subtracted again."""
        ...


class Decided(NamedTuple):
    """The records that decisions produce, in the order of the decisions."""

    leads: list[Lead]
    segment_changes: list[SegmentChange]


class Decider(Protocol):
    """Updates a profile's segments and triggers, and adds the resulting records to ``decided``.

    All state is in the row and its ledgers. Everything due is decided for its due time, in order, before later events.
    So the outcome does not depend on when timers fire. The row's schedule stores when each part must be evaluated next.
    """

    def advance_to(self, profile_id: str, row: ProfileRow, until_ms: int, decided: Decided) -> None:
        """Decides everything that falls due up to ``until_ms``, in order of the due times."""
        ...

    def on_touch(self, profile_id: str, row: ProfileRow, as_of_ms: int, booked: Booked, decided: Decided) -> None:
        """Decides what a booked touch may have changed."""
        ...

    def on_ledger_in(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Decides after a ledger arrived. One open episode of each trigger becomes the lead, others its duplicates."""
        ...

    def on_ledger_out(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Decides after a ledger left the profile, possibly the last one."""
        ...

    def on_erased(
        self,
        profile_id: str,
        row: ProfileRow,
        ledgers: Mapping[Identifier, Ledger],
        as_of_ms: int,
        decided: Decided,
    ) -> None:
        """Decides after ledgers were erased, possibly the last ones. Every lead that they opened is erased too."""
        ...

    def restated(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> None:
        """Decides after the set of the customer's identifiers changed."""
        ...

    def dry_run(self, profile_id: str, row: ProfileRow, as_of_ms: int, decided: Decided) -> Mapping[str, str]:
        """Decides everything once, on a row that is not stored. Returns the state of each trigger."""
        ...


class Timers(Protocol):
    """Timers of profiles. The shell passes due entries to ``ProfileLogic.on_time``."""

    def schedule(self, due_ms: int, profile_id: str) -> None:
        """Adds a timer for the profile at ``due_ms``."""
        ...

    def cancel(self, due_ms: int, profile_id: str) -> None:
        """Deletes the profile's timer at ``due_ms``, if there is one."""
        ...
