"""An erased lead: its erasure passes without an owner, and a later lead of the same id is routed anew."""

from pipeline.profile.records import Lead
from pipeline.route.rules import Rep, RoutingRules, Team
from tests.support.leads import Desk, lead

RULES = RoutingRules(
    reps=(Rep(name="ann"), Rep(name="ben")), teams=(Team(name="all", reps=("ann", "ben")),), catch_all="all",
)  # fmt: skip


def erase(number: int) -> Lead:
    return lead(number, kind="erase", identifiers=[], contact={}, timeline=[])


def test_an_erasure_is_the_next_revision_without_an_owner():
    desk = Desk(RULES)
    assert desk.give(lead(1)) == "ann"
    assert desk.give(erase(1)) == ""
    assert (desk.last.action.revision, desk.decided_by) == (2, ("erased", ""))


def test_a_later_lead_of_the_same_id_is_new():
    desk = Desk(RULES)
    desk.give(lead(1, "user_id:1"))
    desk.give(erase(1))
    assert desk.give(lead(1, "user_id:2"))
    assert desk.last.action.revision == 3


def test_the_erasure_of_a_lead_that_was_never_routed_passes():
    desk = Desk(RULES)
    desk.give(erase(9))
    assert desk.last.action.revision == 1
