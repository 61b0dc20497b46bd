"""Episodes: the state of each trigger in a profile's ledgers.

An episode is stored in one ledger of the profile, so that a merge or split moves it with everything else. It is the
ledger of the founder (the anchor from which the profile id is derived) if the founder has one, else the ledger of the
first anchor in text order. The state of a trigger is read from all ledgers of the profile: it is open if any episode is
open. Closing closes all of them.

A trigger that must be armed before its first firing (a falling score, an exit from a segment) stores that as a closed
episode with number 0.
"""

from typing import Literal, NamedTuple, TypeAlias

from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id as profile_id_of
from pipeline.profile.ledger import Episode
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.trigger.rules import Trigger

EpisodeState: TypeAlias = Literal["unarmed", "armed", "open", "cooling", "spent"]


class OpenEpisode(NamedTuple):
    """An open episode and the anchor whose ledger stores it. Sorts by opening time, then by anchor."""

    opened_ms: int
    anchor: Identifier
    episode: Episode


def episode_state(rule: Trigger, row: ProfileRow, as_of_ms: int) -> tuple[EpisodeState, int]:
    """Returns (the state of a trigger in a profile, the end of its cooldown in ms).

    The second is FOREVER unless the state is ``cooling``.
    """
    state: EpisodeState = "unarmed" if rule.starts_unarmed else "armed"
    cool_ms, fired = 0, False
    for ledger in row.anchors.values():
        episode = ledger.episodes.get(rule.name)
        if episode is None:
            continue
        if not episode.closed_ms:
            return "open", FOREVER
        state = "armed"
        if episode.number:
            fired = True
            cool_ms = max(cool_ms, episode.opened_ms + rule.cooldown_ms)
    if fired and rule.once:
        return "spent", FOREVER
    if rule.cooldown_ms and as_of_ms < cool_ms:
        return "cooling", cool_ms
    return state, FOREVER


def opened(row: ProfileRow, trigger: str) -> list[OpenEpisode]:
    """Returns the open episodes of a trigger in a profile."""
    return [
        OpenEpisode(episode.opened_ms, anchor, episode)
        for anchor, ledger in row.anchors.items()
        if (episode := ledger.episodes.get(trigger)) is not None and not episode.closed_ms
    ]


def close(row: ProfileRow, trigger: str, as_of_ms: int) -> None:
    """Closes the trigger's open episodes; it may then fire again."""
    for at_ms, _, episode in opened(row, trigger):
        episode.closed_ms = max(as_of_ms, at_ms, 1)  # 0 would mean open


def arm(profile_id: str, row: ProfileRow, trigger: str, as_of_ms: int) -> None:
    """Arms the trigger: stores episode 0, closed."""
    row.anchors[booking_anchor(profile_id, row)].episodes[trigger] = Episode(0, 0, max(as_of_ms, 1))


def open_next(profile_id: str, row: ProfileRow, trigger: str, as_of_ms: int) -> tuple[Identifier, int]:
    """Opens the next episode. Returns (the anchor whose ledger stores it, its number)."""
    anchor = booking_anchor(profile_id, row)
    episodes = row.anchors[anchor].episodes
    number = episodes[trigger].number + 1 if trigger in episodes else 1
    episodes[trigger] = Episode(number, as_of_ms)
    return anchor, number


def booking_anchor(profile_id: str, row: ProfileRow) -> Identifier:
    """Returns the anchor whose ledger stores a new episode: the founder if it has a ledger, else the first by text."""
    for anchor in row.anchors:
        if profile_id_of(row.tenant, anchor) == profile_id:
            return anchor
    return min(row.anchors)
