"""The logic of ROUTE: takes one tenant's leads and returns them with an owner and the reason.

0. Erasures of leads pass without an owner. A later lead of the same id is new.
1. Repetitions: an action that repeats the last state of its lead is dropped, unless the lead has no owner yet and one
   is available now. A lead keeps its owner when it is closed as a duplicate, and when it is opened again.
2. Existing owner: the representative that the CRM names, else the one that this router assigned to the customer
   before. During an absence a member of their team stands in, the same one as last time if possible. The customer
   stays with the owner.
3. Account owner: the representative that the CRM names. Absence is handled as in step 2.
4. Routes: the first one whose condition holds and that has an available representative.
5. Catch-all team: if it has no available member either, the lead has no owner, and the reason lists why.

Steps 2 and 3 ignore the owner's capacity. Everywhere else a representative that is absent or has reached their capacity
is passed over. Every assigned lead counts towards the capacity, in steps 2 and 3 too.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from pipeline.profile.records import CrmAction, Lead
from pipeline.route.check import objections
from pipeline.route.decision import Case, Decision, Step, day
from pipeline.route.facts import compile_when
from pipeline.route.memory import Memory
from pipeline.route.roster import Roster
from pipeline.route.rules import Route, RoutingRules
from pipeline.route.state import GivenLead, RouteTables
from pipeline.route.teams import take_turn
from pipeline.trigger.action import DUPLICATE, ERASE

_CATCH_ALL: Final[dict[bool, tuple[str, Step]]] = {
    True: ("no route takes it: catch-all", "catch_all"),
    False: ("there are no routes: catch-all", "no_routes"),
}
"""Reason and step of the catch-all team, by whether any routes are declared."""
_MAX_NAME_CHARACTERS: Final = 60
"""A trait may hold any text; a reason quotes this much of it."""


class Routed(NamedTuple):
    """A complete action, with the step and the route that decided its owner."""

    action: CrmAction
    step: Step
    route: str


class Router:
    """Routes one tenant's leads. It is the only writer of their state, so decisions follow the order of the log.

    Raises:
        ValueError: The rules refer to a name that is not declared, or a condition uses an unknown name.
    """

    def __init__(self, rules: RoutingRules, strong: Collection[str], tables: RouteTables) -> None:
        for objection in objections(rules):
            raise ValueError(objection.message)
        self._rules, self._tables = rules, tables
        self._routes = [(route, compile_when(route.when)) for route in rules.routes]
        self._roster = Roster(rules, tables.loads)
        self._memory = Memory(tables.owners, strong, self._roster.weights)

    def on_leads(self, leads: Sequence[Lead], now_ms: int) -> list[Routed]:  # noqa: ARG002 - as every stage
        """Routes a batch in log order. Writes the state rows and returns the actions for the shell to send.

        Time is taken from the leads. Neither ``now_ms`` nor the batch boundaries affect a decision, so a replay repeats
        the decisions of the first run.
        """
        return [routed for lead in leads if (routed := self._route(lead)) is not None]

    def _route(self, lead: Lead) -> Routed | None:
        """Returns the action, or None if it repeats the last state of its lead."""
        action = lead.action
        given = self._tables.leads.get(action.action_id)
        rep, revision, duplicate_of = (given.rep, given.revision, given.duplicate_of) if given else ("", 0, None)
        # 0. Erasures.
        if action.kind == ERASE:
            return self._erase(action, revision)
        # 1. Repetitions.
        is_repeated = duplicate_of == action.duplicate_of
        if is_repeated and (rep or action.kind == DUPLICATE):
            return None
        decision = self._predetermined(lead, rep) or self._assign(lead)
        if is_repeated and not decision.owner:
            return None
        row = GivenLead(rep=decision.owner, revision=revision + 1, duplicate_of=action.duplicate_of)
        self._tables.leads.put(action.action_id, row)
        complete = replace(action, owner=decision.owner, owner_reason=decision.reason, revision=row.revision)
        return Routed(complete, decision.step, decision.route)

    def _erase(self, action: CrmAction, revision: int) -> Routed:
        """Returns the erasure of a lead as its next revision. A later lead of the same id is routed anew."""
        self._tables.leads.put(action.action_id, GivenLead(rep="", revision=revision + 1, duplicate_of=ERASE))
        return Routed(replace(action, revision=revision + 1), "erased", "")

    def _predetermined(self, lead: Lead, rep: str) -> Decision | None:
        """Returns the decision where there is no choice: for a known lead, and without declared representatives.

        ``rep`` is the lead's owner so far; "" if it has none.
        """
        if lead.action.kind == DUPLICATE:
            reason = f"{rep} has the lead that it closes" if rep else "the lead that it closes has no owner"
            return Decision(rep, reason, "duplicate")
        if rep:
            return Decision(rep, f"{rep} was given this lead before", "known")
        return None if self._rules.reps else Decision("", "no representatives are declared", "no_reps")

    def _assign(self, lead: Lead) -> Decision:
        """Decides the owner of a lead and counts the lead towards their capacity."""
        at_ms = lead.action.timestamp_ms
        decision = self._decide(Case(lead, at_ms, []))
        if decision.owner:
            self._roster.count(decision.owner, at_ms)
        return decision

    def _decide(self, case: Case) -> Decision:
        decision = (
            self._existing_owner(case)  # 2.
            or self._account_owner(case)  # 3.
            or self._by_routes(case)  # 4.
            or self._catch_all(case)  # 5.
        )
        return decision or case.decided("", "no representative is available", "no_available_rep")

    def _existing_owner(self, case: Case) -> Decision | None:
        if not self._rules.existing_owner:
            return None
        named = self._named(case, self._rules.owner_trait)
        if named:
            return self._own(case, named, f"{named} has this customer in the CRM", "existing_owner")
        owner, gone = self._memory.recall(case.lead.action)
        if owner.rep:
            # The profile may have gained identifiers since: store the owner under those as well.
            self._memory.note(case.lead.action, owner.rep, owner.since_ms)
            why = f"{owner.rep} has had this customer since {day(owner.since_ms)}"
            return self._own(case, owner.rep, why, "existing_owner")
        if gone:
            case.unavailable.append(f"{gone}, the former owner, is no longer a representative")
        return None

    def _account_owner(self, case: Case) -> Decision | None:
        named = self._named(case, self._rules.account_owner_trait) if self._rules.account_owner else ""
        return self._own(case, named, f"{named} has the account in the CRM", "account_owner") if named else None

    def _by_routes(self, case: Case) -> Decision | None:
        for route, holds in self._routes:
            if holds(case.lead):
                decision = self._by_route(case, route)
                if decision:
                    return decision
        return None

    def _by_route(self, case: Case, route: Route) -> Decision | None:
        why = f"route {route.name}"
        if route.team:
            rep, part = self._share(case, route.team)
            return case.decided(rep, f"{why}: {part}", "route", route.name) if rep else None
        unavailability = self._roster.unavailability(route.rep, case.at_ms)
        if unavailability:
            case.unavailable.append(unavailability)
            return None
        self._memory.note(case.lead.action, route.rep, case.at_ms)
        return case.decided(route.rep, f"{why} leads to {route.rep}", "route", route.name)

    def _catch_all(self, case: Case) -> Decision | None:
        why, step = _CATCH_ALL[bool(self._routes)]
        rep, part = self._share(case, self._rules.catch_all)
        return case.decided(rep, f"{why}, {part}", step) if rep else None

    def _named(self, case: Case, trait: str) -> str:
        """Returns the representative that a trait names; "" if it names none."""
        rep = case.lead.traits.get(trait)
        if not rep or not isinstance(rep, str):
            return ""
        if rep in self._roster:
            return rep
        case.unavailable.append(
            f"{rep[:_MAX_NAME_CHARACTERS]!r}, named by the CRM as {trait}, is not declared as a representative"
        )
        return ""

    def _own(self, case: Case, rep: str, why: str, step: Step) -> Decision | None:
        """Assigns the lead to the customer's owner; during an absence, to a member of the owner's teams."""
        until = self._roster.absent_until(rep, case.at_ms)
        if not until:
            return case.decided(rep, why, step)
        why = f"{why}, but is absent until {until}"
        deputy = self._deputy(case, rep)
        if deputy:
            return case.decided(deputy, f"{why}: {deputy} stands in as before", step)
        for team in self._roster.teams_of(rep):
            stand_in, part = self._share(case, team, besides=rep)
            if stand_in:
                return case.decided(stand_in, f"{why}: {part}", step)
        case.unavailable.append(f"{why}, and no team member can stand in")
        return None

    def _deputy(self, case: Case, rep: str) -> str:
        """Returns the representative that stood in for the owner before, if available; else ""."""
        owner, _ = self._memory.recall(case.lead.action)
        # If the CRM names another owner than the stored one, the stored one stands in.
        deputy = owner.deputy if owner.rep == rep else owner.rep
        return deputy if deputy in self._roster and not self._roster.unavailability(deputy, case.at_ms) else ""

    def _share(self, case: Case, team: str, besides: str = "") -> tuple[str, str]:
        """Returns (the next member in the team's round robin, their share in words); "" twice if none is available."""
        members = [name for name in self._roster.teams[team] if name != besides]
        weights, unavailable = self._roster.available(members, case.at_ms)
        case.unavailable.extend(unavailable)
        if not weights:
            return "", ""
        turn = take_turn(self._tables.teams, team, weights)
        self._memory.note(case.lead.action, turn.rep, case.at_ms)
        return turn.rep, f"round robin in team {team} ({turn.weight} of {turn.whole} shares)"
