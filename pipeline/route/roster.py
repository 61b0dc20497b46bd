"""Availability of representatives (absences and capacities), and their teams."""

from collections.abc import Mapping, Sequence

from pipeline.event.ports import Table
from pipeline.identity.limits import Limit, parse_limit
from pipeline.route.rules import RoutingRules
from pipeline.route.state import Load


class Roster:
    """Availability at a given moment. Capacities are counted in ``loads``, by the timestamps of the leads."""

    def __init__(self, rules: RoutingRules, loads: Table[Load]) -> None:
        self.weights = {rep.name: rep.weight for rep in rules.reps}
        self.teams: dict[str, Sequence[str]] = {team.name: team.reps for team in rules.teams}
        self._loads = loads
        self._capacities: dict[str, Limit] = {rep.name: parse_limit(rep.capacity) for rep in rules.reps if rep.capacity}
        self._absences = {
            rep.name: sorted((*absence.span_ms(), absence.last) for absence in rep.absent) for rep in rules.reps
        }

    def __contains__(self, name: object) -> bool:
        """Whether a representative of that name is declared."""
        return name in self.weights

    def teams_of(self, rep: str) -> list[str]:
        """Returns the teams of a representative, in the order of the file."""
        return [name for name, members in self.teams.items() if rep in members]

    def absent_until(self, rep: str, at_ms: int) -> str:
        """Returns the last day of the absence at a moment, as written in the rules; "" if the representative is there.

        Absences that follow one another directly count as one.
        """
        until = ""
        for begins_ms, ends_ms, last in self._absences[rep]:
            if begins_ms <= at_ms < ends_ms:
                at_ms, until = ends_ms, last
        return until

    def unavailability(self, rep: str, at_ms: int) -> str:
        """Returns why a representative cannot take another lead at a moment, as a clause; "" if they can."""
        until = self.absent_until(rep, at_ms)
        if until:
            return f"{rep} is absent until {until}"
        limit = self._capacities.get(rep)
        if limit is not None and limit.broken_by(sorted([*self._times(rep), at_ms])):
            return f"{rep} has reached the capacity of {limit.text}"
        return ""

    def available(self, members: Sequence[str], at_ms: int) -> tuple[Mapping[str, int], list[str]]:
        """Returns (the weights of the available members, the reasons why the others are unavailable)."""
        by_name = {name: self.unavailability(name, at_ms) for name in members}
        weights = {name: self.weights[name] for name, unavailability in by_name.items() if not unavailability}
        return weights, [unavailability for unavailability in by_name.values() if unavailability]

    def count(self, rep: str, at_ms: int) -> None:
        """Counts a lead towards the representative's capacity, if they have one."""
        limit = self._capacities.get(rep)
        if limit is not None:
            newest = sorted([*self._times(rep), at_ms])[-limit.count :]
            self._loads.put(rep, Load(times_ms=newest))

    def _times(self, rep: str) -> list[int]:
        row = self._loads.get(rep)
        return row.times_ms if row else []
