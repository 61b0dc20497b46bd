"""Weighted round robin among the available members of a team.

Every set of available members, with their weights, has its own tally, which continues when the same set is available
again. So a member that returns from an absence is not flooded with the leads they missed. And a team stays fair while
members alternately reach their capacity and become available again. Counters that restart at each change would not be
fair: the first lead after each restart would go to the same member every time.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.event.ports import Table
from pipeline.route.quota import next_by_quota
from pipeline.route.state import Tally, TeamRow

MAX_TALLIES: Final = 16
"""Tallies per team. The least recently used one is dropped; its set of members would start at zero again."""


class Turn(NamedTuple):
    """The member that got the lead, and their share."""

    rep: str
    weight: int
    whole: int
    """Sum of the weights of all available members."""


def take_turn(teams: Table[TeamRow], team: str, weights: Mapping[str, int]) -> Turn:
    """Gives the next lead of a team to one of the available members. ``weights`` must not be empty.

    At every moment, each member has had their exact share, rounded down or up, of the leads given to the same set of
    members with the same weights. This holds however the sets alternate.
    """
    row = teams.get(team) or TeamRow(tallies=[])
    tally = _tally(row, weights)
    rep = next_by_quota(tally.weights, tally.given)
    tally.given[rep] += 1
    teams.put(team, row)
    return Turn(rep, tally.weights[rep], sum(tally.weights.values()))


def _tally(row: TeamRow, weights: Mapping[str, int]) -> Tally:
    """Returns the tally of the set of members after moving it to the front."""
    for place, tally in enumerate(row.tallies):
        if tally.weights == weights:
            if place:
                row.tallies.insert(0, row.tallies.pop(place))
            return tally
    fresh = Tally(dict(weights), dict.fromkeys(weights, 0))
    row.tallies = [fresh, *row.tallies[: MAX_TALLIES - 1]]
    return fresh
