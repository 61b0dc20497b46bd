"""The events every benchmark runs on: seeded, Zipf-active customers on four channels, most links soon known."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

from pipeline.clock import wall_clock_ms

NAMES = (
    ("web", "product_viewed"),
    ("web", "product_viewed"),
    ("web", "product_viewed"),
    ("web", "product_added"),
    ("email", "email_opened"),
    ("app", "application_opened"),
    ("pos", "order_completed"),
)


def events(number: int, users: int, seed: int = 11) -> Iterator[dict[str, Any]]:
    """Segment-spec events in time order; every user has an id, an e-mail address and a browser."""
    chance = random.Random(seed)
    ranks = list(range(users))
    chance.shuffle(ranks)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(users)))
    end_ms = wall_clock_ms()
    step = 3_600_000 * 20 // number + 1
    for at, user in enumerate(chance.choices(ranks, cum_weights=weights, k=number)):
        channel, name = NAMES[chance.randrange(len(NAMES))]
        properties: dict[str, Any] = {"sku": f"SKU-{chance.randrange(5000)}", "price": chance.randrange(5, 300)}
        if name == "order_completed":
            properties = {"order_id": f"o{at}", "total": chance.randrange(10, 500), "currency": "EUR"}
        yield {
            "type": "track",
            "event": name,
            "channel": channel,
            "messageId": f"m{at}",
            "timestamp": end_ms - (number - at) * step,
            "userId": f"u{user}",
            "identifiers": {"email": f"u{user}@shop.example"} if channel == "email" else {"anonymous_id": f"b{user}"},
            "properties": properties,
            "context": {"page": {"url": f"https://shop.example/p/{at % 5000}"}} if channel == "web" else {},
        }
