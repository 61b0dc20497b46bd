"""Due times of segments: evaluating only at due times gives the same changes as evaluating every minute.

``STITCHLINE_SEEDS=1000 pytest tests/property/test_segments.py`` widens the search; a failure prints the line that
replays it.
"""

import os
import random
from collections.abc import Iterator

import pytest

from pipeline.condition.due import FOREVER
from pipeline.profile.apply import apply_touch
from pipeline.profile.booking import Plan
from pipeline.profile.journey.booking import journey_bookings
from pipeline.profile.ledger import Ledger, encode_ledger
from pipeline.profile.messages import Touch
from pipeline.score.scorer import Scores
from pipeline.segment.facts import SegmentState
from pipeline.segment.segments import Segments
from tests.property.naive_segments import Naive
from tests.property.segment_histories import (
    FAST,
    SLOW,
    Pace,
    conditions_of,
    journeys_of,
    moments,
    rules_of,
    touches_of,
)

NAMES = tuple("abcdefgh")


def seeds() -> Iterator[int]:
    one = os.environ.get("STITCHLINE_SEED")
    yield from (int(one),) if one else range(int(os.environ.get("STITCHLINE_SEEDS", "12")))


class Life:
    """One customer: what is known of their segments by looking at due times and at what touches changed."""

    def __init__(self, seed: int, pace: Pace) -> None:
        self.rng, self.pace = random.Random(seed), pace
        aggregates, scores = rules_of(self.rng, pace)
        journeys = journeys_of(self.rng, pace)
        rules = conditions_of(self.rng, pace, NAMES)
        self.scores = {counted.name: counted.key for counted in Scores(scores).counted}
        self.plan = Plan(aggregates.aggregates, Scores(scores).counted, journey_bookings(journeys))
        self.segments = Segments(rules, aggregates, scores, journeys=journeys)
        self.naive = Naive(rules, aggregates, scores, journeys)
        self.anchors: dict[str, Ledger] = {}
        self.known: dict[str, SegmentState] = self.segments.evaluate([], 0)
        self.now_ms = 0

    def ledgers(self) -> list[Ledger]:
        return [self.anchors[anchor] for anchor in sorted(self.anchors)]

    def live(self) -> None:
        """Every touch of a history, then silence to the end; looked at in between."""
        touches = touches_of(self.rng, self.pace)
        for touch, following in zip(touches, [*touches[1:], None], strict=True):
            self.wait(touch.timestamp_ms)
            self.book(touch)
            self.check(touch.timestamp_ms, thoroughly=True)
            for at_ms in moments(self.rng, self.pace, touch.timestamp_ms + 1):
                if following is not None and at_ms >= following.timestamp_ms:
                    break
                self.wait(at_ms)
                self.check(at_ms, thoroughly=self.rng.random() < 0.01)

    def wait(self, until_ms: int) -> None:
        """Live through every due time up to a moment, each as of itself."""
        while self.known and (due_ms := min(due for _, due, _ in self.known.values())) <= until_ms:
            if due_ms - 1 > self.now_ms:
                self.check(due_ms - 1, thoroughly=self.rng.random() < 0.1)
            due = [name for name, (_, at_ms, _) in self.known.items() if at_ms == due_ms]
            result = self.segments.evaluate(self.ledgers(), due_ms, self.segments.mask_of(due))
            assert list(result) == [name for name in self.segments.names if name in due]
            assert all(at_ms > due_ms for _, at_ms, _ in result.values())
            self.known |= result
            self.now_ms = due_ms
            self.check(due_ms, thoroughly=self.rng.random() < 0.1)
        self.now_ms = max(self.now_ms, until_ms)

    def book(self, touch: Touch) -> None:
        """Book a touch and look only at what it affects."""
        first_touch_mask = 0 if self.anchors else self.segments.watch_bits.first_touch_mask
        anchor = self.anchors.setdefault(touch.anchor, Ledger())
        before = parts_of(anchor)
        apply_touch(self.plan, anchor, touch)
        after = parts_of(anchor)
        changed = {key for key in after if after[key] != before.get(key)}
        keys = {"touch", *(self.scores.get(key, key) for key in changed)}
        waits, waiting = (
            sum({segment_state.watch_bits for segment_state in self.known.values()}),
            self.segments.watch_bits,
        )
        mask = waiting.mask_of_bits((waiting.bits_of_keys(keys) | waiting.score_bits) & waits)
        self.known |= self.segments.evaluate(self.ledgers(), touch.timestamp_ms, mask | first_touch_mask)

    def check(self, at_ms: int, *, thoroughly: bool) -> None:
        """What is known is what is so."""
        known = {name: current for name, (current, _, _) in self.known.items()}
        ledgers = self.ledgers()
        assert known == {name: self.segments.holds(name, ledgers, at_ms) for name in NAMES}
        if thoroughly:
            assert known == self.naive.standings(ledgers, at_ms)
            assert known == {name: current for name, (current, _, _) in self.segments.evaluate(ledgers, at_ms).items()}


def parts_of(ledger: Ledger) -> dict[str, bytes]:
    """The parts of a ledger that segments follow, by key, as bytes."""
    result = {"traits": Ledger(traits=ledger.traits), "consent": Ledger(consent=ledger.consent)}
    result |= {"identifiers": Ledger(identifiers=ledger.identifiers), "cart": Ledger(cart=ledger.cart)}
    result |= {key: Ledger(aggregates={key: cells}) for key, cells in ledger.aggregates.items()}
    result |= {name: Ledger(occurrences={name: counts}) for name, counts in ledger.occurrences.items()}
    return {key: encode_ledger(part) for key, part in result.items()}


@pytest.mark.parametrize("pace", [FAST, SLOW], ids=["minute_by_minute", "over_months"])
def test_looking_at_due_times_equals_looking_all_the_time(pace: Pace):
    for seed in seeds():
        try:
            Life(seed, pace).live()
        except Exception as error:  # noqa: BLE001 - the failure must name the seed
            which = "minute_by_minute" if pace is FAST else "over_months"
            line = f"STITCHLINE_SEED={seed} pytest tests/property/test_segments.py -k {which}"
            pytest.fail(f"{error!r}\n{line}")


def test_no_profile_is_due_before_anything_can_change():
    for seed in seeds():
        result = Life(seed, SLOW).segments.evaluate([], 0)
        assert all(due_ms == FOREVER for _, due_ms, _ in result.values()), f"STITCHLINE_SEED={seed}"
