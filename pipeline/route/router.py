"""ROUTE's brain: leads of one tenant in, the same with an owner and the reason out.

1. Of each lead the last word counts, and nothing is told twice: a word that says again what the last one said goes no
   further, unless somebody can be found now for a lead that nobody has. A lead that is closed as a duplicate keeps its
   owner, and so does one that stands again.
2. Existing owner: whom the CRM names, else whom this router gave the customer to. While they are absent somebody of
   their team stands in, the same as last time if there was one; the customer stays theirs.
3. Account owner: whom the CRM names, with the same care for absence.
4. Routes in their order: the first whose condition holds and that has somebody available.
5. The catch-all team; where that has nobody either, the lead has no owner and says why.

A customer's own representative takes them whatever their capacity; for everything else absence and a capacity that is
reached leave somebody out. Every lead somebody gets counts towards their capacity.
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
from pipeline.trigger.action import DUPLICATE

_CATCH_ALL: Final[dict[bool, tuple[str, Step]]] = {
    True: ("no route takes it: catch-all", "catch_all"),
    False: ("there are no routes: catch-all", "no_routes"),
}
"""Why the catch-all team gets a lead, by whether there are routes: only where there are some has it fallen."""
_MAX_NAME_CHARACTERS: Final = 60
"""A trait may hold anything; this much of it is enough to find out what."""


class Routed(NamedTuple):
    """An action that is complete, and what decided its owner."""

    action: CrmAction
    step: Step
    route: str


class Router:
    """One tenant's leads, one writer: the order of the log is the order of all decisions.

    Raises:
        ValueError: The rules name what is not declared, or a condition asks what nobody knows of a lead.
    """

    def __init__(self, rules: RoutingRules, strong: Collection[str], tables: RouteTables) -> None:
        for objection in objections(rules):
            raise ValueError(objection.message)
        self._rules, self._tables = rules, tables
        self._routes = [(route, compile_when(route.when)) for route in rules.routes]
        self._roster = Roster(rules, tables.loads)
        self._memory = Memory(tables.owners, strong, self._roster.weights)

    def on_leads(self, leads: Sequence[Lead], now_ms: int) -> list[Routed]:  # noqa: ARG002 - as every stage
        """Take a batch in log order; the state rows are put, the actions are returned for the shell to send.

        Time is the leads' own: ``now_ms`` has no influence, nor has how leads are cut into batches, so a replay decides
        as the first run did.
        """
        return [routed for lead in leads if (routed := self._route(lead)) is not None]

    def _route(self, lead: Lead) -> Routed | None:
        """The action, or None where the last word on it says it all."""
        action = lead.action
        given = self._tables.leads.get(action.action_id)
        rep, revision, duplicate_of = (given.rep, given.revision, given.duplicate_of) if given else ("", 0, None)
        again = duplicate_of == action.duplicate_of
        if again and (rep or action.kind == DUPLICATE):
            return None
        decision = self._settled(lead, rep) or self._give(lead)
        if again and not decision.owner:
            return None
        row = GivenLead(rep=decision.owner, revision=revision + 1, duplicate_of=action.duplicate_of)
        self._tables.leads.put(action.action_id, row)
        complete = replace(action, owner=decision.owner, owner_reason=decision.reason, revision=row.revision)
        return Routed(complete, decision.step, decision.route)

    def _settled(self, lead: Lead, rep: str) -> Decision | None:
        """What needs no decision any more, or cannot have one. ``rep`` has the lead; "": nobody."""
        if lead.action.kind == DUPLICATE:
            reason = f"{rep} has the lead that it closes" if rep else "the lead that it closes has no owner"
            return Decision(rep, reason, "duplicate")
        if rep:
            return Decision(rep, f"{rep} was given this lead before", "known")
        return None if self._rules.reps else Decision("", "no representatives are declared", "no_reps")

    def _give(self, lead: Lead) -> Decision:
        """Find somebody for a lead."""
        at_ms = lead.action.timestamp_ms
        decision = self._decide(Case(lead, at_ms, []))
        if decision.owner:
            self._roster.count(decision.owner, at_ms)
        return decision

    def _decide(self, case: Case) -> Decision:
        decision = (
            self._existing_owner(case) or self._account_owner(case) or self._by_routes(case) or self._catch_all(case)
        )
        return decision or case.decided("", "nobody is available", "nobody")

    def _existing_owner(self, case: Case) -> Decision | None:
        if not self._rules.existing_owner:
            return None
        named = self._named(case, self._rules.owner_trait)
        if named:
            return self._own(case, named, f"{named} has this customer in the CRM", "existing_owner")
        owner, gone = self._memory.recall(case.lead.action)
        if owner.rep:
            self._memory.note(case.lead.action, owner.rep, owner.since_ms)
            why = f"{owner.rep} has had this customer since {day(owner.since_ms)}"
            return self._own(case, owner.rep, why, "existing_owner")
        if gone:
            case.unavailable.append(f"{gone}, who had this customer, is no representative any more")
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
        """The representative a trait names; "" if it names none."""
        rep = case.lead.traits.get(trait)
        if not rep or not isinstance(rep, str):
            return ""
        if rep in self._roster:
            return rep
        case.unavailable.append(
            f"{rep[:_MAX_NAME_CHARACTERS]!r}, whom the CRM names as {trait}, is no representative here"
        )
        return ""

    def _own(self, case: Case, rep: str, why: str, step: Step) -> Decision | None:
        """Somebody's own customer: they get the lead, or while they are absent one of their team does."""
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
        case.unavailable.append(f"{why}, and nobody of their team can stand in")
        return None

    def _deputy(self, case: Case, rep: str) -> str:
        """Who stood in for the owner with this customer before, if they can again; "" otherwise."""
        owner, _ = self._memory.recall(case.lead.action)
        deputy = owner.deputy if owner.rep == rep else owner.rep
        return deputy if deputy in self._roster and not self._roster.unavailability(deputy, case.at_ms) else ""

    def _share(self, case: Case, team: str, besides: str = "") -> tuple[str, str]:
        """The next in a team's round and their part, in words; "" twice if nobody is available."""
        members = [name for name in self._roster.teams[team] if name != besides]
        weights, unavailable = self._roster.available(members, case.at_ms)
        case.unavailable.extend(unavailable)
        if not weights:
            return "", ""
        turn = take_turn(self._tables.teams, team, weights)
        self._memory.note(case.lead.action, turn.rep, case.at_ms)
        return turn.rep, f"round robin in team {team} ({turn.weight} of {turn.whole} shares)"
