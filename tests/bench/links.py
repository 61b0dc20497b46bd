"""The links every identity benchmark runs on: seeded, each one new, as a shop that gains customers sees them."""

import random
import uuid
from collections.abc import Iterator

from pipeline.identity.messages import Link

LINKS_A_CUSTOMER = 4
IDENTIFIERS_A_CUSTOMER = 5
START_MS = 1_790_000_000_000
STEP_MS = 50


def new_links(customers: int, seed: int = 3, first: int = 0) -> Iterator[Link]:
    """Four links a customer: a newsletter and a browser, a telephone, another browser, and the log-in that joins both.

    Five identifiers, of which four leave the profile they were born with; browsers, telephones and events are UUIDs.
    """
    chance = random.Random(seed + first)

    def fresh() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128)))

    for customer in range(first, first + customers):
        user, email = f"user_id:{customer}", f"email:c{customer}@shop.example"
        home, work, phone = (f"{kind}:{fresh()}" for kind in ("anonymous_id", "anonymous_id", "device_id"))
        at_ms = START_MS + customer * STEP_MS
        for number, (a, b) in enumerate(((email, home), (user, phone), (user, work), (user, email))):
            seen_ms = at_ms + number
            yield Link("default", a, b, seen_ms, seen_ms, 1, "web", f"web/{fresh()}")
