"""A seeded history of visits, log-ins and -outs, aliases, shared devices and orders in several channels, for replays.

Half a year of people who come back at random. What is decided about them depends on the order of events: scores cross a
mark and fade again, segments are entered and left with time, devices change hands, anonymous visitors become known.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.event.duration import DAY_MS, MINUTE_MS

START_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z."""
DAYS = 180
RULES = {
    "aggregates.yaml": """aggregates:
  - {name: views, filter: {events: [Product Viewed]}, windows: [24 h, 7 d, lifetime]}
  - {name: spent, kind: sum, field: amount, filter: {events: [Order Completed]}, windows: [30 d, lifetime]}
""",
    "scores.yaml": """scores:
  - {name: view, points: 5, filter: {events: [Product Viewed]}, half_life: 7 d}
  - {name: checkout, points: 12, filter: {events: [Checkout Started]}, half_life: 7 d}
  - {name: order, points: 15, filter: {events: [Order Completed]}, half_life: 30 d}
""",
    "segments.yaml": """segments:
  - {name: browsing, when: views over 24 h >= 3}
  - {name: spender, when: spent.EUR over 30 d >= 100}
  - {name: dormant, when: last_touch > 21 d}
""",
    "triggers.yaml": """triggers:
  - {name: hot, high: 40, low: 15}
  - {name: cooled, high: 30, low: 8, falling: true}
segment_triggers:
  - {name: win_back, segment: dormant}
""",
}
"""A few rules, with triggers that touches, merges and time alone fire."""

Json = dict[str, Any]


def history(events: int, seed: int) -> list[Json]:
    """Returns events as senders send them, in the order of time, no two of one person or device at the same time."""
    chance = random.Random(seed)
    people = max(20, events // 60)
    timed: list[tuple[int, int, Json]] = []
    while len(timed) < events:
        at_ms = START_MS + chance.randrange(DAYS * DAY_MS)
        for event in _visit(chance, people):
            at_ms += chance.randrange(10_000, 20 * MINUTE_MS)
            timed.append((at_ms, len(timed), event))
    timed += _aliases(random.Random(f"aliases {seed}"), people, len(timed))
    timed.sort(key=lambda item: item[:2])
    return [
        {**event, "messageId": f"m{number}", "timestamp": at_ms, "source": "shop"}
        for number, (at_ms, _, event) in enumerate(timed[:events])
    ]


def _aliases(chance: random.Random, people: int, first_index: int) -> Iterator[tuple[int, int, Json]]:
    """Yields log-ins under a new user id, which an alias joins with the old one. Both go on, under two keys."""
    for index, person in enumerate(chance.sample(range(people), people // 8), first_index):
        at_ms = START_MS + chance.randrange(DAYS * DAY_MS)
        new: Json = {"userId": f"n{person}", "channel": "web"}
        yield at_ms, index, {**new, "type": "alias", "previousId": f"u{person}"}
        for _ in range(chance.randrange(5)):
            at_ms += chance.randrange(1, 20 * DAY_MS)
            yield at_ms, index, {**new, "type": "track", "event": "Product Viewed", "properties": {"sku": "s1"}}


def _visit(chance: random.Random, people: int) -> Iterator[Json]:
    """Yields the events of one visit by a person, on one of their devices or on a shared one."""
    person = int(people * chance.random() ** 2)
    shared = chance.random() < 0.1
    device = f"shared{person % 7}" if shared else f"d{person}-{chance.randrange(3)}"
    channel = "app" if device.endswith("1") else "web"
    seen: Json = {"channel": channel, "anonymousId": device}
    user: Json = {"userId": f"u{person}"}
    email: Json = {"identifiers": {"email": f"p{person}@mail.example"}}
    for _ in range(chance.randrange(1, 6)):
        yield {**seen, "type": "track", "event": "Product Viewed", "properties": {"sku": f"s{chance.randrange(40)}"}}
    if chance.random() < 0.4:
        yield {**seen, **user, "type": "identify", "traits": {"city": f"c{chance.randrange(5)}"}}
        if chance.random() < 0.3:
            yield {**seen, **user, **email, "type": "track", "event": "Newsletter Joined"}
    if chance.random() < 0.35:
        known = {**seen, **user} if chance.random() < 0.5 else seen
        yield {**known, "type": "track", "event": "Checkout Started"}
        if chance.random() < 0.5:
            order = {"order_id": f"o{chance.getrandbits(48)}", "total": chance.randrange(5, 150), "currency": "EUR"}
            yield {**known, "type": "track", "event": "Order Completed", "properties": order}
    if shared or chance.random() < 0.1:
        yield {**seen, **user, "type": "track", "event": "Signed Out"}
    if chance.random() < 0.15:
        yield {**email, "channel": "email", "type": "track", "event": "Email Clicked"}
    if chance.random() < 0.08:
        order = {"order_id": f"t{chance.getrandbits(48)}", "total": chance.randrange(5, 90), "currency": "EUR"}
        yield {**user, "channel": "pos", "type": "track", "event": "Order Completed", "properties": order}


def rules_in(folder: Path) -> Path:
    """Writes the history's rules files to a folder and returns it."""
    for name, text in RULES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
