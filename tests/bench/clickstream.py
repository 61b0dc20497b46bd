"""A seeded clickstream: visits of anonymous browsers and apps, of which a third log in, so that profiles merge."""

import random
from collections.abc import Iterator
from typing import Any

SHARE_OF_REGULARS = 0.4
SPAN_MS = 20 * 24 * 3_600_000


def clickstream(number: int, end_ms: int, seed: int = 5) -> Iterator[dict[str, Any]]:
    """Yields events in time order up to ``end_ms``: page views with campaigns and referrers, carts, orders, log-ins."""
    chance = random.Random(seed)
    people, step_ms = max(10, number // 12), SPAN_MS // number + 1
    seen: dict[tuple[int, int], tuple[int, bool]] = {}
    for at in range(number):
        regular = chance.random() < SHARE_OF_REGULARS
        person = min(int(chance.paretovariate(0.9)) - 1, people - 1) if regular else chance.randrange(people)
        device = chance.randrange(1, 3)
        visits, known = seen.get((person, device), (0, False))
        known = known or (person % 3 == 0 and visits > 3 and chance.random() < 0.3)
        seen[person, device] = (visits + 1, known)
        event = _of_page(chance, person, device)
        event |= {"messageId": f"m{at}", "timestamp": end_ms - (number - at) * step_ms}
        if known:
            event["userId"] = f"u{person}"
        yield event | _action(chance, at, person, known=known)


def _of_page(chance: random.Random, person: int, device: int) -> dict[str, Any]:
    url = f"https://shop.example/c/{chance.randrange(300)}/p/{chance.randrange(4000)}?utm_source=x"
    referrer = chance.choice(("", "https://www.google.com/search", "https://shop.example/"))
    context: dict[str, Any] = {"page": {"url": url, "referrer": referrer}, "ip": "192.0.2.1"}
    if chance.random() < 0.05:
        context["campaign"] = {"name": f"c{chance.randrange(20)}", "source": "news", "medium": "email"}
    return {"channel": "web" if device == 1 else "app", "anonymousId": f"b{person}-{device}", "context": context}


def _action(chance: random.Random, at: int, person: int, *, known: bool) -> dict[str, Any]:
    drawn = chance.random()
    if known and drawn < 0.03:
        return {"type": "identify", "traits": {"email": f"p{person}@mail.example", "name": f"N {person}"}}
    if drawn < 0.45:
        return {"type": "page", "properties": {"title": f"t{chance.randrange(100)}"}}
    item = {"product_id": f"p{chance.randrange(4000)}", "category": f"c{chance.randrange(30)}", "price": 20}
    if drawn < 0.75:
        return {"type": "track", "event": "product_viewed", "properties": item}
    if drawn < 0.9:
        return {"type": "track", "event": "product_added", "properties": {**item, "currency": "EUR", "quantity": 1}}
    if drawn < 0.95:
        return {"type": "track", "event": "checkout_started", "properties": {"value": 10}}
    amount = {"order_id": f"o{at}", "total": chance.randrange(10, 500), "currency": "EUR"}
    return {"type": "track", "event": "order_completed", "properties": amount}
