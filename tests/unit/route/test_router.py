"""The owner of a lead: the order of the steps, absences, capacities, remembered owners, and the reason."""

from typing import Any

import msgspec
import pytest

from pipeline.route.rules import Absence, Rep, Route, RoutingRules, Team
from pipeline.trigger.action import DUPLICATE
from tests.support.leads import Desk, lead, moment, no_rows

HOLIDAYS = Absence(first="2026-12-24", last="2026-12-27")
CHRISTMAS = moment("2026-12-25T12:00:00Z")
AFTER = moment("2026-12-28")
ANN, BOB, CYN, DAN = Rep(name="ann", weight=3), Rep(name="bob", weight=2), Rep(name="cyn"), Rep(name="dan")
AWAY_BOB = Rep(name="bob", weight=2, absent=(HOLIDAYS,))


def rules(*reps: Rep, **changed: Any) -> RoutingRules:
    """Team north has ann and bob, team inside has cyn and dan. Customers from DE go to north, all others to inside."""
    given = {
        "reps": reps or (ANN, BOB, CYN, DAN),
        "teams": (Team(name="north", reps=("ann", "bob")), Team(name="inside", reps=("cyn", "dan"))),
        "routes": (Route(name="dach", when='traits.country = "DE"', team="north"),),
        "catch_all": "inside",
    }
    return RoutingRules(**(given | changed))


GERMAN = {"country": "DE"}


def with_bob_away(**changed: Any) -> Desk:
    return Desk(rules(ANN, AWAY_BOB, CYN, DAN, **changed))


def test_the_first_route_that_holds_shares_its_leads_by_weight() -> None:
    desk = Desk(rules())
    assert [desk.give(lead(n, traits=GERMAN)) for n in range(5)] == ["ann", "bob", "ann", "ann", "bob"]
    assert desk.reason == "route dach: round robin in team north (2 of 5 shares)"
    assert desk.decided_by == ("route", "dach")


def test_what_no_route_takes_goes_to_the_catch_all_team() -> None:
    desk = Desk(rules())
    assert [desk.give(lead(n)) for n in range(4)] == ["cyn", "dan", "cyn", "dan"]
    assert desk.reason == "no route takes it: catch-all, round robin in team inside (1 of 2 shares)"
    assert desk.decided_by == ("catch_all", "")


def test_without_routes_the_catch_all_team_is_no_fall() -> None:
    desk = Desk(rules(routes=()))
    assert desk.give(lead(1)) == "cyn"
    assert desk.reason == "there are no routes: catch-all, round robin in team inside (1 of 2 shares)"
    assert desk.decided_by == ("no_routes", "")


def test_a_route_may_lead_to_one_representative() -> None:
    key = Route(name="key", when="traits.employees >= 500", rep="cyn")
    desk = Desk(rules(routes=(key,)))
    assert [desk.give(lead(n, traits={"employees": 900})) for n in range(3)] == ["cyn"] * 3
    assert desk.reason == "route key leads to cyn"
    assert desk.decided_by == ("route", "key")
    assert desk.give(lead(0, "user_id:0", action_id="another")) == "cyn", "it is her customer from then on"


def test_a_route_whose_representative_is_not_there_is_passed_over() -> None:
    routes = (
        Route(name="key", when="traits.employees >= 500", rep="bob"),
        Route(name="north", when="score > 0", team="north"),
    )
    desk = with_bob_away(routes=routes)
    assert desk.give(lead(1, traits={"employees": 900}, at_ms=CHRISTMAS)) == "ann"
    assert desk.reason == "route north: round robin in team north (3 of 3 shares); bob is absent until 2026-12-27"


def test_without_representatives_every_lead_has_that_reason() -> None:
    desk = Desk(RoutingRules())
    assert desk.give(lead(1)) == ""
    assert desk.reason == "no representatives are declared"
    assert desk.decided_by == ("no_reps", "")
    assert desk.is_silent_on(lead(1))


def test_an_absent_representative_gets_none_from_the_first_day_to_the_last() -> None:
    for at_ms, expected in (
        (moment("2026-12-23T23:59:59.999Z"), {"ann", "bob"}),
        (moment("2026-12-24"), {"ann"}),
        (moment("2026-12-27T23:59:59.999Z"), {"ann"}),
        (AFTER, {"ann", "bob"}),
    ):
        desk = with_bob_away()
        assert {desk.give(lead(n, traits=GERMAN, at_ms=at_ms)) for n in range(4)} == expected
        assert ("bob is absent until 2026-12-27" in desk.reason) == ("bob" not in expected)


def test_absences_that_follow_one_another_are_one() -> None:
    more = (Absence(first="2026-12-28", last="2027-01-03"), HOLIDAYS, Absence(first="2027-02-01", last="2027-02-02"))
    desk = Desk(rules(ANN, Rep(name="bob", absent=more), CYN, DAN))
    desk.give(lead(1, traits=GERMAN, at_ms=CHRISTMAS))
    assert "bob is absent until 2027-01-03" in desk.reason


def test_a_reached_capacity_excludes_a_representative_until_there_is_room_again() -> None:
    desk = Desk(rules(Rep(name="ann", weight=3, capacity="2 per 1 d"), BOB, CYN, DAN))
    assert [desk.give(lead(n, traits=GERMAN)) for n in range(6)] == ["ann", "bob", "ann", "bob", "bob", "bob"]
    assert desk.reason.endswith("(2 of 2 shares); ann has reached the capacity of 2 per 1 d")
    next_day = moment("2026-11-23")
    assert desk.give(lead(7, traits=GERMAN, at_ms=next_day - 1)) == "bob"
    assert desk.give(lead(8, traits=GERMAN, at_ms=next_day)) == "ann"


def test_without_an_available_representative_a_lead_has_no_owner_and_is_routed_when_it_repeats() -> None:
    full = Rep(name="dan", capacity="1 ever")
    desk = Desk(rules(ANN, BOB, Rep(name="cyn", absent=(HOLIDAYS,)), full))
    assert desk.give(lead(1, at_ms=CHRISTMAS)) == "dan"
    assert desk.give(lead(2, at_ms=CHRISTMAS)) == ""
    assert desk.reason == (
        "no representative is available; cyn is absent until 2026-12-27; dan has reached the capacity of 1 ever"
    )
    assert desk.decided_by == ("no_available_rep", "")
    assert desk.give(lead(2, at_ms=AFTER)) == "cyn"


def test_a_long_list_of_obstacles_is_cut_short() -> None:
    many = tuple(Rep(name=f"rep{n}", absent=(HOLIDAYS,)) for n in range(7))
    team = Team(name="all", reps=tuple(rep.name for rep in many))
    desk = Desk(RoutingRules(reps=many, teams=(team,), catch_all="all"))
    assert desk.give(lead(1, at_ms=CHRISTMAS)) == ""
    assert desk.reason.count("absent") == 4
    assert desk.reason.endswith("; and 3 more were passed over")


def test_the_representative_named_by_the_crm_owns_the_customer() -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, traits={**GERMAN, "owner": "dan"})) == "dan"
    assert desk.reason == "dan has this customer in the CRM"
    assert desk.decided_by == ("existing_owner", "")


def test_a_change_of_owner_in_the_crm_overrides_the_stored_owner() -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, "user_id:a", traits=GERMAN)) == "ann"
    assert desk.give(lead(2, "user_id:a", traits={"owner": "bob"})) == "bob"
    assert desk.give(lead(3, "user_id:a")) == "ann", "taken back in the CRM: as before"


@pytest.mark.parametrize("named", ["zoe", "", 7, ["ann"], None])
def test_an_owner_that_is_not_a_representative_is_ignored(named: object) -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, traits={**GERMAN, "owner": named})) == "ann"
    assert ("'zoe', named by the CRM as owner, is not declared as a representative" in desk.reason) == (named == "zoe")


def test_the_owner_of_the_account_comes_after_that_of_the_customer() -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, traits={**GERMAN, "account_owner": "dan"})) == "dan"
    assert desk.reason == "dan has the account in the CRM"
    assert desk.decided_by == ("account_owner", "")
    assert desk.give(lead(2, traits={**GERMAN, "account_owner": "dan", "owner": "cyn"})) == "cyn"


def test_owner_traits_can_be_renamed_and_each_owner_step_disabled() -> None:
    traits = {**GERMAN, "agent": "dan", "manager": "cyn", "owner": "bob", "account_owner": "bob"}
    named = rules(owner_trait="agent", account_owner_trait="manager")
    assert Desk(named).give(lead(1, traits=traits)) == "dan"
    without = msgspec.structs.replace(named, existing_owner=False)
    assert Desk(without).give(lead(1, traits=traits)) == "cyn"
    assert Desk(msgspec.structs.replace(without, account_owner=False)).give(lead(1, traits=traits)) == "ann"
    desk = Desk(rules(existing_owner=False))
    assert [desk.give(lead(n, "user_id:a", traits=GERMAN)) for n in range(2)] == ["ann", "bob"]


def test_a_returning_customer_keeps_their_owner_even_above_the_capacity() -> None:
    desk = Desk(rules(Rep(name="ann", weight=3, capacity="1 per 1 d"), BOB, CYN, DAN))
    assert desk.give(lead(1, "user_id:a", traits=GERMAN)) == "ann"
    assert desk.give(lead(2, traits=GERMAN)) == "bob"
    assert desk.give(lead(3, "device_id:x", "user_id:a", traits=GERMAN)) == "ann"
    assert desk.reason == "ann has had this customer since 2026-11-22"
    assert desk.decided_by == ("existing_owner", "")


def test_while_an_owner_is_absent_the_team_stands_in_and_the_customer_stays_theirs() -> None:
    team = (Team(name="north", reps=("ann", "bob", "cyn")), Team(name="inside", reps=("dan",)))
    desk = Desk(rules(Rep(name="ann"), AWAY_BOB, CYN, DAN, teams=team))
    customer = "user_id:b"
    assert desk.give(lead(1, customer, traits=GERMAN)) == "bob"
    assert desk.give(lead(3, customer, at_ms=CHRISTMAS)) == "ann"
    assert desk.reason == (
        "bob has had this customer since 2026-11-22, but is absent until 2026-12-27: "
        "round robin in team north (1 of 2 shares)"
    )
    assert desk.give(lead(5, customer, at_ms=CHRISTMAS)) == "ann", "not cyn, whose turn it would be"
    assert desk.reason.endswith("absent until 2026-12-27: ann stands in as before")
    assert desk.give(lead(6, traits=GERMAN, at_ms=CHRISTMAS)) == "cyn"
    assert desk.give(lead(7, customer, at_ms=AFTER)) == "bob"


def test_a_deputy_stands_in_for_an_owner_named_by_the_crm_too() -> None:
    desk = with_bob_away()
    traits = {"owner": "bob"}
    assert desk.give(lead(1, "user_id:b", traits=traits, at_ms=CHRISTMAS)) == "ann"
    assert desk.give(lead(2, "user_id:b", traits=traits, at_ms=CHRISTMAS)) == "ann"
    assert desk.reason == "bob has this customer in the CRM, but is absent until 2026-12-27: ann stands in as before"
    assert desk.give(lead(3, "user_id:b", traits=traits, at_ms=AFTER)) == "bob"


def test_without_an_available_deputy_the_next_steps_are_tried() -> None:
    alone = (Team(name="north", reps=("bob",)), Team(name="inside", reps=("cyn", "dan")))
    desk = with_bob_away(teams=alone)
    assert desk.give(lead(1, traits={"owner": "bob"}, at_ms=CHRISTMAS)) == "cyn"
    assert desk.reason == (
        "no route takes it: catch-all, round robin in team inside (1 of 2 shares); bob has this customer in the CRM, "
        "but is absent until 2026-12-27, and no team member can stand in"
    )


def test_a_deputy_that_is_absent_as_well_is_replaced() -> None:
    both = tuple(Rep(name=name, absent=(HOLIDAYS,)) for name in ("ann", "bob"))
    early = Absence(first="2026-12-20", last="2026-12-23")
    away = msgspec.structs.replace(both[1], absent=(early, HOLIDAYS))
    desk = Desk(rules(both[0], away, CYN, DAN))
    assert desk.give(lead(1, traits={"owner": "bob"}, at_ms=moment("2026-12-21"))) == "ann"
    assert desk.give(lead(2, "user_id:1", traits={"owner": "bob"}, at_ms=CHRISTMAS)) == "cyn"


def test_a_customer_of_a_former_representative_is_routed_again_and_then_stays() -> None:
    tables = no_rows()
    assert Desk(rules(), tables).give(lead(1, "user_id:a", traits=GERMAN)) == "ann"
    left = rules(BOB, CYN, DAN, teams=(Team(name="north", reps=("bob",)), Team(name="inside", reps=("cyn", "dan"))))
    desk = Desk(left, tables)
    assert desk.give(lead(2, "user_id:a", traits=GERMAN)) == "bob"
    assert desk.reason.endswith("; ann, the former owner, is no longer a representative")
    assert desk.give(lead(3, "user_id:a")) == "bob"
    assert desk.reason == "bob has had this customer since 2026-11-22"


def test_the_earlier_owner_has_a_merged_customer_and_an_unmerge_restores_both_owners() -> None:
    desk = Desk(rules())
    later = moment("2026-11-23")
    assert desk.give(lead(1, "user_id:a", traits=GERMAN)) == "ann"
    assert desk.give(lead(2, "user_id:b", traits=GERMAN, at_ms=later)) == "bob"
    assert desk.give(lead(3, "user_id:b", "user_id:a", "email:new@example.org", at_ms=later + 1)) == "ann"
    assert desk.give(lead(7, "user_id:a", "user_id:b", at_ms=later + 1)) == "ann"
    assert desk.give(lead(4, "user_id:b", at_ms=later + 2)) == "bob"
    assert desk.give(lead(5, "user_id:a", at_ms=later + 2)) == "ann"
    assert desk.give(lead(6, "email:new@example.org", at_ms=later + 2)) == "ann"


def test_a_customer_without_strong_identifiers_is_known_by_profile_also_once_they_log_in() -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, "device_id:x", profile_id="p", traits=GERMAN)) == "ann"
    assert desk.give(lead(2, "device_id:x", traits=GERMAN)) == "bob", "another customer on the same device"
    assert desk.give(lead(3, "device_id:x", "user_id:a", profile_id="p", traits=GERMAN)) == "ann"
    assert desk.give(lead(4, "user_id:a", traits=GERMAN)) == "ann"


def test_a_duplicate_keeps_the_owner_of_the_lead_it_closes() -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, "user_id:a", traits=GERMAN)) == "ann"
    assert desk.give(lead(2, "user_id:b", traits=GERMAN)) == "bob"
    merged = ("user_id:a", "user_id:b")
    closing = lead(2, *merged, kind=DUPLICATE, duplicate_of="lead-1", traits={**GERMAN, "owner": "dan"})
    assert desk.give(closing) == "bob"
    assert desk.reason == "bob has the lead that it closes"
    assert desk.decided_by == ("duplicate", "")
    assert desk.give(lead(9, *merged, kind=DUPLICATE, duplicate_of="lead-1")) == ""
    assert desk.reason == "the lead that it closes has no owner"
    assert desk.give(lead(3, traits=GERMAN)) == "ann", "closing a lead takes no turn"


def test_a_repeated_lead_is_published_once() -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, "user_id:0", traits=GERMAN)) == "ann"
    assert all(desk.is_silent_on(lead(1, f"user_id:{n}", traits=GERMAN)) for n in range(3))
    assert desk.give(lead(2, traits=GERMAN)) == "bob"


def test_every_action_of_a_lead_has_a_revision_and_a_reopened_lead_keeps_its_owner_without_a_turn() -> None:
    desk = Desk(rules())
    shown = []
    for kind, other in (
        ("lead", ""), (DUPLICATE, "lead-8"), (DUPLICATE, "lead-8"), (DUPLICATE, "lead-9"), ("lead", ""), ("lead", ""),
    ):  # fmt: skip
        for routed in desk.router.on_leads([lead(1, traits=GERMAN, kind=kind, duplicate_of=other)], 0):
            action = routed.action
            shown.append((action.revision, action.kind, action.duplicate_of, action.owner))
    assert shown == [
        (1, "lead", "", "ann"), (2, DUPLICATE, "lead-8", "ann"), (3, DUPLICATE, "lead-9", "ann"),
        (4, "lead", "", "ann"),
    ]  # fmt: skip
    assert (routed.action.owner_reason, routed.step) == ("ann was given this lead before", "known")
    assert desk.give(lead(2, traits=GERMAN)) == "bob"


def test_a_moment_no_calendar_has_does_not_stop_the_stage() -> None:
    desk = Desk(rules())
    assert desk.give(lead(1, "user_id:a", at_ms=1 << 60)) == "cyn"
    assert desk.give(lead(2, "user_id:a", at_ms=1 << 60)) == "cyn"
    assert desk.reason == f"cyn has had this customer since {1 << 60} ms"


def test_rules_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="team 'north' names rep 'ann', which is not declared"):
        Desk(rules(BOB, CYN, DAN))
