"""Round robin in a team, by weight, among those who are available.

Every set of available representatives with their weights has a tally of its own, and goes on where it stopped when it
comes back. Who returns from an absence is therefore not flooded with what they missed, and a team whose members reach
their capacity and are free again in turns stays fair, which counters that start anew at each change would not: their
first lead would go to the same person every time.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.event.ports import Table
from pipeline.route.quota import next_by_quota
from pipeline.route.state import Tally, TeamRow

MAX_TALLIES: Final = 16
"""Of a team; the one not used for longest is forgotten, and would start anew."""


class Turn(NamedTuple):
    """Whose turn it was, and their part."""

    rep: str
    weight: int
    whole: int
    """The weights of all who were available."""


def take_turn(teams: Table[TeamRow], team: str, weights: Mapping[str, int]) -> Turn:
    """Give the next lead of a team to one of those available, of whom there must be one at least.

    However the sets of available members alternate: of the leads shared among one set (with the same weights), each
    member has had their part rounded down or up, at every moment.
    """
    row = teams.get(team) or TeamRow(tallies=[])
    tally = _tally(row, weights)
    rep = next_by_quota(tally.weights, tally.given)
    tally.given[rep] += 1
    teams.put(team, row)
    return Turn(rep, tally.weights[rep], sum(tally.weights.values()))


def _tally(row: TeamRow, weights: Mapping[str, int]) -> Tally:
    """The set's tally, brought to the front."""
    for place, tally in enumerate(row.tallies):
        if tally.weights == weights:
            if place:
                row.tallies.insert(0, row.tallies.pop(place))
            return tally
    fresh = Tally(dict(weights), dict.fromkeys(weights, 0))
    row.tallies = [fresh, *row.tallies[: MAX_TALLIES - 1]]
    return fresh
