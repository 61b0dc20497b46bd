"""Decisions about identifiers of an anchor's events: applied, forwarded with the ledger, and kept until it arrives."""

from collections.abc import Iterable

import pytest

from pipeline.event.identifier import Identifier
from pipeline.identity.messages import IdentifierOwnership, Move
from pipeline.identity.profile_id import profile_id
from pipeline.profile.logic import Message, ProfileEffects, ProfileLogic
from pipeline.profile.row import ProfileRow
from pipeline.profile.rules import AggregateRules
from pipeline.score.rules import ScoreRules
from pipeline.segment.rules import SegmentRule, SegmentRules
from pipeline.testing.build import touch
from pipeline.testing.table import MemoryTable
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.rules import TriggerRules

ANN: Identifier = "user_id:ann"
CARD: Identifier = "loyalty_id:card"
BEN: Identifier = "user_id:ben"
P_ANN, P_BEN = profile_id("default", ANN), profile_id("default", BEN)
WITH_CARD = SegmentRules(segments=(SegmentRule(name="with_card", when="identifier.loyalty_id is known"),))


class Stage:
    """PROFILE over a dict."""

    def __init__(self) -> None:
        self.table: MemoryTable[ProfileRow] = MemoryTable()
        rules = compile_rules(AggregateRules(), ScoreRules(), TriggerRules(), WITH_CARD)
        self.logic = ProfileLogic(rules, self.table)

    def take(self, *messages: tuple[str, Message]) -> ProfileEffects:
        return self.logic.on_batch(messages, 0)

    def identifiers(self, of: str = P_ANN, anchor: Identifier = ANN) -> Iterable[Identifier]:
        return list(self.table.rows[of].anchors[anchor].own_identifiers())


def owned(own: bool, decided: int, seq: int = 1, anchor: Identifier = ANN) -> IdentifierOwnership:
    return IdentifierOwnership("default", anchor, seq, {CARD: own}, decided)


SEEN = touch(ANN, identifiers=[ANN, CARD])
MOVE = Move("default", [ANN], P_ANN, P_BEN, 2)


def test_an_identifier_of_another_customer_is_published_no_longer_and_leaves_its_segments() -> None:
    stage = Stage()
    (change,) = stage.take((P_ANN, SEEN)).segment_changes
    assert (change.segment, change.change) == ("with_card", "entered")
    effects = stage.take((P_ANN, owned(own=False, decided=5)))
    (update,), (change,) = effects.updates, effects.segment_changes
    assert update.identifiers == [ANN]
    assert (change.segment, change.change) == ("with_card", "exited")
    effects = stage.take((P_ANN, owned(own=True, decided=6)))
    assert [change.change for change in effects.segment_changes] == ["entered"]


def test_an_older_decision_changes_nothing() -> None:
    stage = Stage()
    stage.take((P_ANN, SEEN), (P_ANN, owned(own=False, decided=5)))
    effects = stage.take((P_ANN, owned(own=True, decided=4)))
    assert (effects.updates, stage.identifiers()) == ([], [ANN])


def test_a_decision_before_the_ledger_is_kept_until_the_first_touch() -> None:
    stage = Stage()
    assert stage.take((P_ANN, owned(own=False, decided=5))).updates == []
    stage.take((P_ANN, SEEN))
    assert stage.identifiers() == [ANN]


def test_a_decision_for_a_ledger_that_moved_is_forwarded_to_its_owner_with_the_owners_seq() -> None:
    stage = Stage()
    moved = stage.take((P_ANN, SEEN), (P_ANN, MOVE))
    assert [target for target, _ in moved.forwards] == [P_BEN]
    ((target, message),) = stage.take((P_ANN, owned(own=False, decided=5))).forwards
    assert (target, message.seq, message.owned) == (P_BEN, 2, {CARD: False})


@pytest.mark.parametrize("decision_first", [True, False])
def test_a_decision_and_its_ledger_arrive_in_either_order(decision_first: bool) -> None:
    stage = Stage()
    forwards = stage.take((P_ANN, SEEN), (P_ANN, MOVE), (P_ANN, owned(own=False, decided=5))).forwards
    assert len(forwards) == 2
    for forward in reversed(forwards) if decision_first else forwards:
        stage.take(forward)
    assert stage.identifiers(P_BEN) == [ANN]


def test_an_awaited_decision_follows_a_ledger_that_moves_before_it_arrives() -> None:
    stage = Stage()
    effects = stage.take((P_ANN, owned(own=False, decided=5)), (P_ANN, MOVE))
    ((target, message),) = effects.forwards
    assert isinstance(message, IdentifierOwnership)
    assert (target, message.seq, message.decided, message.owned) == (P_BEN, 2, 5, {CARD: False})
    assert stage.table.rows[P_ANN].ownership.awaited == {}
