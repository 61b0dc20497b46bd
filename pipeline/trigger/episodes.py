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
"""The ``leaf`` of an episode that a person's ledger has taken over. What is left behind keeps only its number, so that
the next one under the same anchor gets another."""

Standing: TypeAlias = Literal["unarmed", "armed", "open", "cooling", "spent"]


class Strength:
    """How strong anchors are, by the priorities of their types; a type that is not declared is the weakest."""

    def __init__(self, priorities: Mapping[str, int], people: Container[str]) -> None:
        """``people``: the types that name people."""
        self._priorities, self._people = priorities, people

    def of(self, leaf: Identifier) -> int:
        """Lower is stronger."""
        return self._priorities.get(type_of(leaf), _WEAKEST)

    def names_people(self, leaf: Identifier) -> bool:
        """Whether it is a person's, not a device's."""
        return type_of(leaf) in self._people


EQUAL: Final = Strength({}, ())
"""Of all anchors the first by text, and none names people."""


class Held(NamedTuple):
    """An episode and the leaf under which it was opened; the earliest opened sorts first."""

    opened_ms: int
    leaf: Identifier
    episode: Episode


def standing_of(rule: Trigger, row: ProfileRow, as_of_ms: int) -> tuple[Standing, int]:
    """Where a trigger stands in a profile, and until when by its cooldown alone."""
    standing: Standing = "unarmed" if rule.arms_first else "armed"
    cool_ms, fired = 0, False
    for ledger in row.leaves.values():
        episode = ledger.episodes.get(rule.name)
        if episode is None or episode.leaf == GIVEN:
            continue
        if not episode.closed_ms:
            return "open", FOREVER
        standing = "armed"
        if episode.number:
            fired = True
            cool_ms = max(cool_ms, episode.opened_ms + rule.cooldown_ms)
    if fired and rule.once:
        return "spent", FOREVER
    if rule.cooldown_ms and as_of_ms < cool_ms:
        return "cooling", cool_ms
    return standing, FOREVER


def opened(row: ProfileRow, trigger: str) -> list[Held]:
    """The open episodes of a trigger in a profile."""
    return [
        Held(episode.opened_ms, episode.leaf or leaf, episode)
        for leaf, ledger in row.leaves.items()
        if (episode := ledger.episodes.get(trigger)) is not None and not episode.closed_ms
    ]


def close(row: ProfileRow, trigger: str, as_of_ms: int) -> None:
    """The trigger is armed again."""
    for at_ms, _, episode in opened(row, trigger):
        episode.closed_ms = max(as_of_ms, at_ms, 1)


def arm(row: ProfileRow, trigger: str, as_of_ms: int, strength: Strength) -> None:
    """The trigger waits from now on."""
    row.leaves[booking_leaf(row, strength)].episodes[trigger] = Episode(0, 0, max(as_of_ms, 1))


def open_next(row: ProfileRow, trigger: str, as_of_ms: int, strength: Strength) -> tuple[Identifier, int]:
    """Open the next episode; the leaf that keeps it, and its number."""
    leaf = booking_leaf(row, strength)
    episodes = row.leaves[leaf].episodes
    number = episodes[trigger].number + 1 if trigger in episodes else 1
    episodes[trigger] = Episode(number, as_of_ms)
    return leaf, number


def booking_leaf(row: ProfileRow, strength: Strength) -> Identifier:
    """The leaf whose ledger takes a new episode: the strongest anchor's, ties by text."""
    leaves = row.leaves
    return next(iter(leaves)) if len(leaves) == 1 else min(leaves, key=lambda leaf: (strength.of(leaf), leaf))


def claim(row: ProfileRow, strength: Strength) -> None:
    """Hand episodes that devices keep to the person, where there is one who has none of that trigger."""
    person = booking_leaf(row, strength)
    if not strength.names_people(person):
        return
    kept = row.leaves[person].episodes
    for leaf in sorted(row.leaves):
        if strength.names_people(leaf):
            continue
        episodes = row.leaves[leaf].episodes
        for trigger, episode in episodes.items():
            if trigger not in kept and episode.leaf != GIVEN:
                episodes[trigger] = Episode(episode.number, 0, 1, leaf=GIVEN)
                episode.leaf = episode.leaf or leaf
                kept[trigger] = episode
