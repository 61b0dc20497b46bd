"""Applies a touch to the ledger of its anchor: the rules' bookings, and the data that every profile keeps."""

from typing import Any

import msgspec

from pipeline.profile.booking import Plan
from pipeline.profile.ledger import Ledger
from pipeline.profile.messages import Touch
from pipeline.profile.ports import Booked
from pipeline.profile.statements import book_consent, book_traits
from pipeline.profile.timeline import CRM, book_line, is_activity


def apply_touch(plan: Plan, ledger: Ledger, touch: Touch) -> Booked:
    """Books one touch in place. Returns what the booking may change."""
    changed_bits = 0
    timestamp_ms = touch.timestamp_ms
    ledger.touches += 1
    _book_ends(ledger, touch)
    spans = ledger.identifiers
    for identifier in touch.identifiers:
        span = spans.get(identifier)
        if span is None:
            spans[identifier] = (timestamp_ms, timestamp_ms)
            changed_bits |= plan.changed_bits.identifiers
        elif timestamp_ms > span[1]:
            spans[identifier] = (span[0], timestamp_ms)
        elif timestamp_ms < span[0]:
            spans[identifier] = (timestamp_ms, span[1])
    if touch.traits:
        changed_bits |= plan.changed_bits.traits
        book_traits(ledger, touch)
    if "consent" in touch.context:
        changed_bits |= plan.changed_bits.consent
        book_consent(ledger, touch, touch.context["consent"])
    lines = ledger.activities if touch.channel == CRM and is_activity(touch) else ledger.timeline
    book_line(lines, touch)
    booked = plan.book(ledger, touch)
    if not changed_bits:
        return booked
    return Booked(booked.given, booked.taken, booked.changed_bits | changed_bits, booked.order)


def _book_ends(ledger: Ledger, touch: Touch) -> None:
    first, last, timestamp_ms = ledger.first, ledger.last, touch.timestamp_ms
    if first is not None and last is not None and first[0] < timestamp_ms < last[0]:
        return
    point = (timestamp_ms, touch.event_id, touch.channel, touch.type, touch.name, origin_of(touch.context))
    if last is not None and timestamp_ms > last[0]:  # the usual case
        ledger.last = point
        return
    if first is None or point < first:
        ledger.first = point
    if last is None or point > last:
        ledger.last = point


def origin_of(context: dict[str, Any]) -> str:
    """Returns the touch's campaign and referrer as JSON text; "" if it has neither."""
    if "campaign" not in context and "page" not in context:
        return ""
    origin: dict[str, Any] = {}
    campaign = context.get("campaign")
    if campaign and type(campaign) is dict:
        origin["campaign"] = campaign
    page = context.get("page")
    referrer = page.get("referrer") if type(page) is dict else None
    if referrer and type(referrer) is str:
        origin["referrer"] = referrer
    return msgspec.json.encode(origin, order="deterministic").decode() if origin else ""
