"""Episodes: what a profile's ledgers remember of each trigger.

An episode is booked in one ledger of the profile, so that a merge or split hands it over with everything else: in that
of the strongest anchor, which names the person. So a shared device that moves on does not take a person's lead along.
What fired before anybody was known there is the person's from the log-in on. The profile's state of a trigger is read
from all its ledgers: open if any episode is open. Closing closes them all.

A trigger that must first be armed (a score on its way down, a segment that is left) keeps that as episode 0, closed.
"""

from collections.abc import Container, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from pipeline.event.identifier import Identifier, type_of
from pipeline.profile.ledger import Episode
from pipeline.profile.row import FOREVER, ProfileRow
from pipeline.trigger.rules import Trigger

_WEAKEST: Final = 1 << 30
GIVEN: Final = "-"
"""The ``anchor`` of an episode that a person's ledger has taken over. The old ledger keeps only its number, so that the
next episode under the same anchor gets another."""

EpisodeState: TypeAlias = Literal["unarmed", "armed", "open", "cooling", "spent"]


class Strength:
    """How strong anchors are, by the priorities of their types; a type that is not declared is the weakest."""

    def __init__(self, priorities: Mapping[str, int], people: Container[str]) -> None:
        """``people``: the types that name people."""
        self._priorities, self._people = priorities, people

    def of(self, anchor: Identifier) -> int:
        """Lower is stronger."""
        return self._priorities.get(type_of(anchor), _WEAKEST)

    def names_people(self, anchor: Identifier) -> bool:
        """Whether it is a person's, not a device's."""
        return type_of(anchor) in self._people


EQUAL: Final = Strength({}, ())
"""Of all anchors the first by text, and none names people."""


class OpenEpisode(NamedTuple):
    """An episode and the anchor under which it was opened; the earliest opened sorts first."""

    opened_ms: int
    anchor: Identifier
    episode: Episode


def episode_state(rule: Trigger, row: ProfileRow, as_of_ms: int) -> tuple[EpisodeState, int]:
    """Where a trigger stands in a profile, and until when by its cooldown alone."""
    state: EpisodeState = "unarmed" if rule.starts_unarmed else "armed"
    cool_ms, fired = 0, False
    for ledger in row.anchors.values():
        episode = ledger.episodes.get(rule.name)
        if episode is None or episode.anchor == GIVEN:
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
        OpenEpisode(episode.opened_ms, episode.anchor or anchor, episode)
        for anchor, ledger in row.anchors.items()
        if (episode := ledger.episodes.get(trigger)) is not None and not episode.closed_ms
    ]


def close(row: ProfileRow, trigger: str, as_of_ms: int) -> None:
    """The trigger is armed again."""
    for at_ms, _, episode in opened(row, trigger):
        episode.closed_ms = max(as_of_ms, at_ms, 1)


def arm(row: ProfileRow, trigger: str, as_of_ms: int, strength: Strength) -> None:
    """The trigger waits from now on."""
    row.anchors[booking_anchor(row, strength)].episodes[trigger] = Episode(0, 0, max(as_of_ms, 1))


def open_next(row: ProfileRow, trigger: str, as_of_ms: int, strength: Strength) -> tuple[Identifier, int]:
    """Open the next episode; the anchor that keeps it, and its number."""
    anchor = booking_anchor(row, strength)
    episodes = row.anchors[anchor].episodes
    number = episodes[trigger].number + 1 if trigger in episodes else 1
    episodes[trigger] = Episode(number, as_of_ms)
    return anchor, number


def booking_anchor(row: ProfileRow, strength: Strength) -> Identifier:
    """The anchor whose ledger takes a new episode: the strongest anchor's, ties by text."""
    anchors = row.anchors
    return next(iter(anchors)) if len(anchors) == 1 else min(anchors, key=lambda anchor: (strength.of(anchor), anchor))


def claim(row: ProfileRow, strength: Strength) -> None:
    """Hand episodes that devices keep to the person, where there is one who has none of that trigger."""
    person = booking_anchor(row, strength)
    if not strength.names_people(person):
        return
    kept = row.anchors[person].episodes
    for anchor in sorted(row.anchors):
        if strength.names_people(anchor):
            continue
        episodes = row.anchors[anchor].episodes
        for trigger, episode in episodes.items():
            if trigger not in kept and episode.anchor != GIVEN:
                episodes[trigger] = Episode(episode.number, 0, 1, anchor=GIVEN)
                episode.anchor = episode.anchor or anchor
                kept[trigger] = episode
