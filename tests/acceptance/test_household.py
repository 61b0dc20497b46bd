"""Two people of one account: one household, never one customer, through everything that happens to either of them."""

import random
from functools import partial
from typing import Any

import pytest

from pipeline.identity.household import households
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.testing.build import event_json
from tests.support.change_follower import ChangeFollower
from tests.support.simulated import TENANT, Story, decision

START_MS = 1_772_366_400_000
ACCOUNT = "account_id:A-7"
ANN, BOB = "user_id:ann", "user_id:bob"
ANN_FIRST = "email:ann@shop.example"
"""What Ann was known by when she first logged in."""


def pid(founder: str) -> str:
    return profile_id(TENANT, founder)


event = partial(event_json, start_ms=START_MS)


SHARING = {"identifiers": {"account_id": "A-7"}}
LIFE = [
    event(1, anonymousId="ann-1", **SHARING),
    event(2, userId="bob", **SHARING),
    event(3, userId="ann", identifiers={"email": "ann@shop.example"}),
    event(4, userId="ann", anonymousId="ann-1"),
    event(5, userId="ann", **SHARING),
    event(6, userId="bob", anonymousId="bob-1"),
    event(7, identifiers={"account_id": "A-7"}),
]


class Home:
    """A story, and its household by the function, by STITCH's rows and by identity.changes."""

    def __init__(self) -> None:
        self.story = Story()
        self._policy = IdentityPolicy(self.story.rules.identity)
        self._reader = ChangeFollower(pid)

    def tell(self, *messages: Any) -> list[str]:
        """Go on with the story; whose household it is then: by the rows, the pure function and the public log."""
        self._reader.take(self.story.tell(*messages).changes())
        graph = self.story.identity()
        stored, defined = graph.households.of(ACCOUNT), households(TENANT, graph.resolved(self._policy))
        assert ([stored] if stored else []) == defined
        assert self._reader.households() == {household.shared: household.profile_ids for household in defined}
        return stored.profile_ids if stored else []


@pytest.fixture
def home() -> Home:
    return Home()


def test_two_people_of_one_account_are_a_household_and_never_one_customer(home):
    for message in LIFE:
        home.tell(message)

    assert home.tell() == sorted([pid(ANN_FIRST), pid(BOB)])
    assert set(home.story.lines()) >= {pid(ANN_FIRST), pid(BOB), pid(ACCOUNT)}
    changes = home.story.identity()
    assert changes.founder("anonymous_id:ann-1") == ANN_FIRST
    assert changes.founder(ACCOUNT) == ACCOUNT


@pytest.mark.parametrize("seed", range(10))
def test_the_household_is_the_same_in_every_order_of_arrival(seed):
    home, order = Home(), random.Random(seed).sample(LIFE, len(LIFE))
    for message in order:
        home.tell(message)
    assert home.tell() == sorted([pid(ANN_FIRST), pid(BOB)]), f"seed {seed}"


def test_a_visitor_of_the_account_counts_once_when_they_turn_out_to_be_a_member(home):
    assert home.tell(*LIFE[:3]) == sorted([pid("anonymous_id:ann-1"), pid(BOB)])
    assert home.tell(LIFE[3], event(8, userId="ann", **SHARING)) == sorted([pid(ANN_FIRST), pid(BOB)])


def test_an_unlinked_member_leaves_the_account_and_joins_again(home):
    home.tell(*LIFE)
    assert home.tell(decision("unlink", BOB, ACCOUNT, 1)) == [pid(ANN_FIRST)]
    assert home.tell(event(9, userId="bob", **SHARING)) == [pid(ANN_FIRST)]
    assert home.tell(decision("link", BOB, ACCOUNT, 2)) == sorted([pid(ANN_FIRST), pid(BOB)])
    assert home.tell(decision("suppress", ACCOUNT, at_ms=3)) == []
    assert home.tell(decision("release", ACCOUNT, at_ms=4)) == sorted([pid(ANN_FIRST), pid(BOB)])


def test_a_member_that_splits_off_stays_with_the_identifier_that_shares(home):
    home.tell(*LIFE)
    apart = home.tell(decision("unlink", ANN, "anonymous_id:ann-1", 1))
    assert apart == sorted([pid(ANN_FIRST), pid(BOB), pid("anonymous_id:ann-1")])


def test_logging_out_does_not_leave_the_household(home):
    home.tell(*LIFE)
    assert home.tell(event(9, "signed_out", userId="bob", **SHARING)) == sorted([pid(ANN_FIRST), pid(BOB)])
