"""Invalid records as broken producers send them, each with the reason for its quarantine."""

import random
from collections.abc import Callable
from typing import Any

from pipeline.avro.wire import head
from pipeline.event.reason import Reason
from pipeline.kafka.dlq_headers import REKEYED_HEADER
from schemas import own_id
from tests.support.events import web_event, write
from tests.support.records import Sent

MEGABYTE = 1_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
KEYS = (None, b"", b"\xff\xfe", b"default/user_id:somebody", b"no tenant", b"/", b"\x00" * 40)


class Garbage:
    """Generates invalid records from a seed. Wrong event times are relative to ``now_ms``."""

    def __init__(self, seed: int, now_ms: int) -> None:
        self._random, self._now_ms, self._made = random.Random(seed), now_ms, 0

    def all(self, count: int) -> list[tuple[Sent, Reason]]:
        """``count`` records, every kind about as often as any other, among them some of 10 MB."""
        kinds = [*UNDECODABLE, *INVALID]
        result = [self._one(kinds[number % len(kinds)]) for number in range(count - 3)]
        huge = self.event(properties='{"page": "%s"}' % ("x" * 10 * MEGABYTE))
        result.append((self._sent(write(huge)), Reason.TOO_LARGE))
        result.append((self._sent(write(huge)[:-7]), Reason.UNDECODABLE))
        result.append((self._sent(self._random.randbytes(10 * MEGABYTE)), Reason.UNDECODABLE))
        return result

    def event(self, **changed: Any) -> dict[str, Any]:
        """A good event but for the changes."""
        self._made += 1
        more = {"timestamp_ms": self._now_ms - self._random.randrange(DAY_MS), **changed}
        made = web_event(f"bad-{self._made}", [f"user_id:ghost-{self._made}"], more.pop("timestamp_ms"))
        return made | more

    def _one(self, kind: "Kind") -> tuple[Sent, Reason]:
        value, reason = kind(self)
        if reason == Reason.MISROUTED:
            return Sent(b"elsewhere", value, ((REKEYED_HEADER, b"1"),)), reason
        return self._sent(value), reason

    def _sent(self, value: bytes | None) -> Sent:
        return Sent(self._random.choice(KEYS), value, (("origin", b"\x00\xff"),))

    def truncated(self) -> bytes:
        """Cut anywhere, from nothing left to all but one byte."""
        whole = write(self.event(properties='{"path": "%s"}' % ("/a" * self._random.randrange(300))))
        return whole[: self._random.randrange(len(whole))]

    def not_utf8(self) -> bytes:
        """A byte that no UTF-8 text has, in the middle of one."""
        return write(self.event(source="shop~")).replace(b"~", b"\xff")

    def noise(self) -> bytes:
        """Random bytes behind a header that promises a web event."""
        return head(own_id("event-web")) + self._random.randbytes(self._random.randrange(200))

    def bag(self) -> bytes:
        """Bags that are no JSON object, or one that cannot be kept."""
        text = self._random.choice(BAGS)
        return write(self.event(**{self._random.choice(("properties", "context", "traits")): text}))

    def field(self) -> bytes:
        """A field outside its domain."""
        return write(self.event(**dict([self._random.choice(FIELDS)])))


Kind = Callable[[Garbage], tuple[bytes | None, Reason]]
MANY = ", ".join(f'"f{number}": 1' for number in range(600))
BAGS = ("[1, 2]", "null", '"text"', "", "{", '{"a": }', "{'a': 1}", "[" * 5000,
        '{"a": ' + "[" * 40 + "]" * 40 + "}", "{" + MANY + "}")  # fmt: skip
FIELDS = (("tenant", ""), ("tenant", "A/B"), ("source", ""), ("source", "a/b"), ("message_id", ""),
          ("type", "purchase"), ("message_id", "m\x00"), ("message_id", "m" * 300), ("event", "e" * 300),
          ("identifiers", [f"user_id:{n}" for n in range(40)]))  # fmt: skip
NOBODY = ([], ["user_id:guest"], ["user_id:NULL", "email:noreply@shop.example"], ["shoe_size:44"], ["user_id"], [":"],
          ["email:not an address"], ["device_id:00000000-0000-0000-0000-000000000000"])  # fmt: skip

UNDECODABLE: tuple[Kind, ...] = (
    lambda g: (g.truncated(), Reason.UNDECODABLE),
    lambda g: (g.not_utf8(), Reason.UNDECODABLE),
    lambda g: (g.noise(), Reason.UNDECODABLE),
    lambda g: (b"", Reason.UNDECODABLE),
    lambda _: (None, Reason.UNDECODABLE),
    lambda g: (b"\x01" + write(g.event())[1:], Reason.UNDECODABLE),  # another magic byte
    lambda g: (head(4_000_000_000) + write(g.event())[5:], Reason.UNDECODABLE),  # no such schema
    lambda g: (head(own_id("event-pos")) + write(g.event())[5:], Reason.UNDECODABLE),  # another topic's schema
    lambda g: (write(g.event()) + b"\x00", Reason.UNDECODABLE),  # something left over
    lambda g: (b'{"type": "page", "messageId": "m1"}', Reason.UNDECODABLE),  # JSON where Avro belongs
)
INVALID: tuple[Kind, ...] = (
    lambda g: (g.bag(), Reason.INVALID_FIELD),
    lambda g: (g.field(), Reason.INVALID_FIELD),
    lambda g: (write(g.event(properties='{"total": 5, "currency": "doubloons"}')), Reason.INVALID_FIELD),
    lambda g: (write(g.event(timestamp_ms=g._now_ms + HOUR_MS)), Reason.FROM_THE_FUTURE),
    lambda g: (write(g.event(timestamp_ms=(1 << 63) - 1)), Reason.FROM_THE_FUTURE),
    lambda g: (write(g.event(timestamp_ms=g._now_ms - 500 * DAY_MS)), Reason.TOO_OLD),
    lambda g: (write(g.event(timestamp_ms=-(1 << 63))), Reason.TOO_OLD),
    lambda g: (write({**g.event(), "identifiers": g._random.choice(NOBODY)}), Reason.NO_IDENTIFIER),
    lambda g: (write(g.event()), Reason.MISROUTED),
)
