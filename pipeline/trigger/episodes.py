"""Episodes: the state of each trigger in a profile's ledgers.

An episode is stored in one ledger of the profile, so that a merge or split moves it with everything else. It is the
ledger of the strongest anchor, which names the person: a shared device that moves on does not take a person's lead
along. An episode that fired on a device before its person was known becomes the person's at the log-in. The state of a
trigger is read from all ledgers of the profile: it is open if any episode is open. Closing closes all of them.

A trigger that must be armed before its first firing (a falling score, an exit from a segment) stores that as a closed
episode with number 0.
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
    """An open episode and the anchor under which it was opened. Sorts by opening time, then by anchor."""

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
    """Returns the open episodes of a trigger in a profile."""
    return [
        OpenEpisode(episode.opened_ms, episode.anchor or anchor, episode)
        for anchor, ledger in row.anchors.items()
        if (episode := ledger.episodes.get(trigger)) is not None and not episode.closed_ms
    ]


def close(row: ProfileRow, trigger: str, as_of_ms: int) -> None:
    """Closes the trigger's open episodes; it may then fire again."""
    for at_ms, _, episode in opened(row, trigger):
        episode.closed_ms = max(as_of_ms, at_ms, 1)  # 0 would mean open


def arm(row: ProfileRow, trigger: str, as_of_ms: int, strength: Strength) -> None:
    """Arms the trigger: stores episode 0, closed."""
    row.anchors[booking_anchor(row, strength)].episodes[trigger] = Episode(0, 0, max(as_of_ms, 1))


def open_next(row: ProfileRow, trigger: str, as_of_ms: int, strength: Strength) -> tuple[Identifier, int]:
    """Opens the next episode. Returns (the anchor whose ledger stores it, its number)."""
    anchor = booking_anchor(row, strength)
    episodes = row.anchors[anchor].episodes
    number = episodes[trigger].number + 1 if trigger in episodes else 1
    episodes[trigger] = Episode(number, as_of_ms)
    return anchor, number


def booking_anchor(row: ProfileRow, strength: Strength) -> Identifier:
    """Returns the anchor whose ledger stores a new episode: the strongest, ties by text."""
    anchors = row.anchors
    return next(iter(anchors)) if len(anchors) == 1 else min(anchors, key=lambda anchor: (strength.of(anchor), anchor))


def claim(row: ProfileRow, strength: Strength) -> None:
    """Moves episodes from devices' ledgers to the person's, for triggers without an episode there."""
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
