"""Seeded storms on HubSpot's journal: lives that end, kills, faults, repeated entries, and days without a pull."""

import os
import random
from collections import Counter

import pytest

from pipeline.event.model import Event
from tests.crm import emulator as faults
from tests.crm.journal_world import JournalWorld
from tests.crm.test_way_back_crashes import READS, ROUNDS, SEED, Doom, pull_all

PEOPLE = int(os.environ.get("JOURNAL_PEOPLE", "60"))
SEEDS = int(os.environ.get("STITCHLINE_SEEDS", "4"))
FAULTS = (faults.SLOW_DOWN, faults.UNAVAILABLE, faults.LOST_BEFORE, faults.LOST_AFTER, faults.SERVER_ERROR)


class Storm:
    """What happens by hand in one turn, and what has to come back of it."""

    def __init__(self, world: JournalWorld, draw: random.Random) -> None:
        self.world, self.hub, self.draw = world, world.hub, draw
        self.people = [self.hub.add_by_hand(f"c{number}@shop.example", first="x") for number in range(PEOPLE)]
        self.expected: Counter[tuple[str, str]] = Counter()
        self.merged: set[str] = set()
        """Contacts that were merged in former turns. They come again, once, if their survivor is merged, too."""

    def turn(self, number: int) -> None:
        self.merged |= {person for name, person in self.expected if name == "Contact Merged"}
        self.expected.clear()
        for place, person in enumerate(self.draw.sample(self.people, 6)):
            if person not in self.people:
                continue  # merged a moment ago
            phone = f"+4930{number:04d}{place}"
            kind = self.draw.choice(["edit", "edit", "own", "own and edit", "delete", "merge"])
            if kind in {"edit", "own"}:
                self.hub.edit_by_hand(person, phone=phone)
            if kind == "edit":
                self.expected["identify", person] += 1
            elif kind == "own":
                self.world.sink_wrote(person, phone=phone)
            elif kind == "own and edit":
                self.hub.edit_by_hand(person, phone=phone, first=phone)
                self.world.sink_wrote(person, phone=phone)
                self.expected["identify", person] += 1
            elif kind == "delete":
                self.hub.remove("contacts", person)
                self.people.remove(person)
                self.expected["Contact Deleted", person] += 1
            else:
                self._merge(person)

    def _merge(self, person: str) -> None:
        other = self.draw.choice([one for one in self.people if one != person and not self._is_touched(one)])
        third = self.hub.merge_by_hand(person, other)
        for one in (person, other):
            self.people.remove(one)
            self.expected["Contact Merged", one] += 1
        self.people.append(third)
        self.expected["identify", third] += 1

    def _is_touched(self, person: str) -> bool:
        return any(one == person for _, one in self.expected)

    @staticmethod
    def counted(event: Event) -> tuple[str, str]:
        """An event as this storm expects it: what it is, and about which contact."""
        person = event.properties.get("contact_id") or event.identifiers[0].partition(":")[2]
        return event.name or event.type, str(person)

    def disturb(self) -> None:
        """Entries come again, a signature is about to end, days without a pull."""
        self.hub.file_size = self.draw.choice([1, 3, 100])
        self.hub.publish()
        if self.hub.entries and self.draw.random() < 0.5:
            again = self.draw.choice(self.hub.entries)
            self.hub.entries.append(again._replace(offset=f"again-{self.draw.random()}", at_ms=self.world.clock()))
        self.hub.url_ms = self.draw.choice([60_000, 60_000, 1])
        if self.draw.random() < 0.15:
            self.world.pass_time(self.draw.choice([1, 4]) * 86_400)


@pytest.mark.parametrize("seed", range(SEED, SEED + SEEDS))
def test_each_change_is_an_event_once(seed):
    draw, world = random.Random(seed), JournalWorld(since_days=3)
    storm = Storm(world, draw)
    doom = Doom(draw.random() < 0.005 for _ in iter(int, 1))
    world.crm.chance = lambda: draw.choice(FAULTS) if draw.random() < 0.05 else ""
    world.crm.is_write = lambda request: request.url.path.endswith((*READS, "/subscriptions/2026-03"))
    pull_all(world, doom)
    world.topics.take()
    for number in range(1, ROUNDS + 1):
        storm.turn(number)
        storm.disturb()
        pull_all(world, doom)
        pull_all(world, doom)  # what had waited, and what follows a gap
        events = world.topics.take()
        seen = Counter(storm.counted(event) for event in events)
        again = {one: count for one, count in seen.items() if one[0] == "Contact Merged" and one[1] in storm.merged}
        assert seen - Counter(again) == storm.expected, f"STITCHLINE_SEED={seed} STITCHLINE_SEEDS=1 pytest {__file__}"
        assert set(again.values()) <= {1}
    assert doom.count, "nothing was killed"
