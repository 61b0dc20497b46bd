"""Episodes: what a profile's ledgers remember of each trigger.

An episode is booked in one ledger of the profile, so that a merge or split hands it over with everything else: in the
founder's (the anchor the profile id is made of) where that has a ledger, else in the first anchor by text. The
profile's state of a trigger is read from all its ledgers: open if any episode is open. Closing closes them all.

A trigger that must first be armed (a score on its way down, a segment that is left) keeps that as episode 0, closed.
"""

from typing import Literal, NamedTuple, TypeAlias

from pipeline.event.identifier import Identifier
from pipeline.identity.profile_id import profile_id as profile_id_of
from pipeline.profile.ledger import Episode
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.trigger.rules import Trigger

EpisodeState: TypeAlias = Literal["unarmed", "armed", "open", "cooling", "spent"]


class OpenEpisode(NamedTuple):
    """An episode and the anchor whose ledger keeps it; the earliest opened sorts first."""

    opened_ms: int
    anchor: Identifier
    episode: Episode


def episode_state(rule: Trigger, row: ProfileRow, as_of_ms: int) -> tuple[EpisodeState, int]:
    """Where a trigger stands in a profile, and until when by its cooldown alone."""
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
    """The open episodes of a trigger in a profile."""
    return [
        OpenEpisode(episode.opened_ms, anchor, episode)
        for anchor, ledger in row.anchors.items()
        if (episode := ledger.episodes.get(trigger)) is not None and not episode.closed_ms
    ]


def close(row: ProfileRow, trigger: str, as_of_ms: int) -> None:
    """The trigger is armed again."""
    for at_ms, _, episode in opened(row, trigger):
        episode.closed_ms = max(as_of_ms, at_ms, 1)


def arm(profile_id: str, row: ProfileRow, trigger: str, as_of_ms: int) -> None:
    """The trigger waits from now on."""
    row.anchors[booking_anchor(profile_id, row)].episodes[trigger] = Episode(0, 0, max(as_of_ms, 1))


def open_next(profile_id: str, row: ProfileRow, trigger: str, as_of_ms: int) -> tuple[Identifier, int]:
    """Open the next episode; the anchor that keeps it, and its number."""
    anchor = booking_anchor(profile_id, row)
    episodes = row.anchors[anchor].episodes
    number = episodes[trigger].number + 1 if trigger in episodes else 1
    episodes[trigger] = Episode(number, as_of_ms)
    return anchor, number


def booking_anchor(profile_id: str, row: ProfileRow) -> Identifier:
    """The anchor whose ledger takes a new episode: the founder's if it has one, else the first by text."""
    for anchor in row.anchors:
        if profile_id_of(row.tenant, anchor) == profile_id:
            return anchor
    return min(row.anchors)
