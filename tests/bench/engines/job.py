"""The live workload's job in plain Python, as the peers of Stitchline run it. Imports nothing of Stitchline.

For each event: check and normalise it, drop repetitions, keep counts and sums over windows, first and last touch, a
timeline and a cart, keep a score with a cap, evaluate eight segments, publish the profile and each change of a segment,
and make a lead once the score reaches 70. A peer keeps the profile in its own state. What Stitchline does beyond that
is left out: identity, merges and unmerges, timers, decay, consent, routing, quarantine, and rules in files.
"""

import io
import json
import os
from pathlib import Path
from typing import Any

import fastavro

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
WINDOWS = {f"last_{name}": length_ms for name, length_ms in (
    ("1h", HOUR_MS), ("24h", DAY_MS), ("7d", 7 * DAY_MS), ("30d", 30 * DAY_MS), ("90d", 90 * DAY_MS)
)}  # fmt: skip
HOURS_KEPT, DAYS_KEPT = 168, 90
POINTS = {"product_added": 8, "email_opened": 1, "application_opened": 3, "order_completed": 10}
VIEW_POINTS, MAX_VIEW_POINTS, LEAD_SCORE = 2, 30, 70
TIMELINE_EVENTS, CART_ITEMS = 20, 20
CART_ABANDONED_MS, MAX_AGE_MS, MAX_AHEAD_MS = HOUR_MS, 400 * DAY_MS, HOUR_MS
BIG_SPENDER_MINOR, ENGAGED_SCORE = 50_000, 40
HEADER_BYTES = 5
"""Magic byte and schema id."""
SCHEMA = fastavro.parse_schema(
    json.loads((Path(__file__).parents[3] / "schemas" / "event-web.avsc").read_text(encoding="utf-8"))
)
"""The channels' schemas have the same columns in the same order."""

BROKERS, NAME, HOME = (os.environ.get(f"BENCH_{name}", "") for name in ("BROKERS", "NAME", "HOME"))
EVENTS_TOPIC, PROFILES_TOPIC, SEGMENTS_TOPIC, LEADS_TOPIC = (
    f"{NAME}.{topic}" for topic in ("events", "profiles", "segments", "leads")
)
COMMIT_SECONDS = float(os.environ.get("BENCH_COMMIT_SECONDS", "2"))


def decode(value: bytes) -> dict[str, Any]:
    """Returns the event in an Avro record."""
    event: Any = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), SCHEMA, None)
    for name in ("properties", "context", "traits"):
        event[name] = json.loads(event[name])
    return dict(event)


def checked(event: dict[str, Any], now_ms: int) -> dict[str, Any] | None:
    """Returns the event with normalised identifiers, or None if it is not valid."""
    if not (event["tenant"] and event["source"] and event["message_id"] and event["event"] and event["identifiers"]):
        return None
    if not now_ms - MAX_AGE_MS <= event["timestamp_ms"] <= now_ms + MAX_AHEAD_MS:
        return None
    event["identifiers"] = [_normalised(*text.split(":", 1)) for text in event["identifiers"]]
    return event


def _normalised(kind: str, value: str) -> str:
    value = value.strip()
    return f"{kind}:{value.lower() if kind == 'email' else value}"


def message_id(event: dict[str, Any]) -> str:
    """Returns the id under which an event counts once."""
    return f"{event['source']}/{event['message_id']}"


def new_profile() -> dict[str, Any]:
    """Returns the profile of a customer without events."""
    return {
        "totals": {}, "hours": {}, "days": {}, "points": 0, "view_points": 0, "is_lead": False, "identifiers": [],
        "first_touch": None, "last_touch": None, "timeline": [], "cart": [], "cart_ms": 0, "orders_ms": [],
        "segments": [],
    }  # fmt: skip


def apply(profile: dict[str, Any], event: dict[str, Any]) -> bool:
    """Books an event into a profile. Returns whether the customer has just become a lead."""
    at_ms, name = event["timestamp_ms"], event["event"]
    for aggregate, amount in _amounts(event):
        profile["totals"][aggregate] = profile["totals"].get(aggregate, 0) + amount
        _book(profile["hours"].setdefault(aggregate, {}), at_ms // HOUR_MS, amount, HOURS_KEPT)
        _book(profile["days"].setdefault(aggregate, {}), at_ms // DAY_MS, amount, DAYS_KEPT)
    profile["identifiers"] = sorted({*profile["identifiers"], *event["identifiers"]})
    _remember(profile, event)
    profile["points"] += POINTS.get(name, 0)
    profile["view_points"] += VIEW_POINTS if name == "product_viewed" else 0
    became_lead = not profile["is_lead"] and score(profile) >= LEAD_SCORE
    profile["is_lead"] = profile["is_lead"] or became_lead
    return became_lead


def _remember(profile: dict[str, Any], event: dict[str, Any]) -> None:
    touch = [event["timestamp_ms"], message_id(event), event["source"], event["event"]]
    profile["first_touch"] = min(profile["first_touch"] or touch, touch)
    profile["last_touch"] = max(profile["last_touch"] or touch, touch)
    profile["timeline"] = sorted([*profile["timeline"], touch], reverse=True)[:TIMELINE_EVENTS]
    if event["event"] == "product_added":
        profile["cart"] = [*profile["cart"], event["properties"]["sku"]][-CART_ITEMS:]
        profile["cart_ms"] = max(profile["cart_ms"], event["timestamp_ms"])
    elif event["event"] == "order_completed":
        profile["cart"], order_ms = [], event["timestamp_ms"]
        profile["orders_ms"] = [min([*profile["orders_ms"], order_ms]), max([*profile["orders_ms"], order_ms])]


def segment_changes(profile: dict[str, Any], aggregates: dict[str, Any], now_ms: int) -> list[tuple[str, str]]:
    """Evaluates the segments and stores them in the profile. Returns (segment, "entered" or "exited")."""
    first_order_ms, last_order_ms = profile["orders_ms"] or (0, 0)
    orders, views, spent = (aggregates.get(name, {}) for name in ("orders", "products_viewed", "spent"))
    is_dormant = now_ms - profile["last_touch"][0] > 31 * DAY_MS
    members = {
        "new_customers": bool(first_order_ms) and now_ms - first_order_ms <= 30 * DAY_MS,
        "regulars": orders.get("last_90d", 0) >= 3,
        "lapsed_customers": bool(last_order_ms) and now_ms - last_order_ms > 90 * DAY_MS,
        "dormant": is_dormant,
        "engaged": score(profile) >= ENGAGED_SCORE and not is_dormant,
        "browsing": views.get("last_7d", 0) >= 5 and not orders.get("last_7d", 0),
        "abandoned_cart": bool(profile["cart"]) and now_ms - profile["cart_ms"] > CART_ABANDONED_MS,
        "big_spenders": spent.get("last_90d", 0) >= BIG_SPENDER_MINOR,
    }
    after, before = [name for name, is_member in members.items() if is_member], profile["segments"]
    profile["segments"] = after
    return [(name, "entered") for name in after if name not in before] + [
        (name, "exited") for name in before if name not in after
    ]


def _amounts(event: dict[str, Any]) -> list[tuple[str, int]]:
    name = event["event"]
    if name == "product_viewed":
        return [("events", 1), ("products_viewed", 1)]
    if name == "order_completed":
        return [("events", 1), ("orders", 1), ("spent", int(event["properties"]["total"]) * 100)]
    return [("events", 1)]


def _book(buckets: dict[str, int], bucket: int, amount: int, kept: int) -> None:
    buckets[str(bucket)] = buckets.get(str(bucket), 0) + amount
    if len(buckets) > kept:
        del buckets[min(buckets, key=int)]


def score(profile: dict[str, Any]) -> int:
    """Returns the engagement score."""
    return int(profile["points"] + min(profile["view_points"], MAX_VIEW_POINTS))


def update_of(user: str, profile: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Returns the profile record to publish, with the segments that have changed."""
    aggregates = {}
    for aggregate, total in profile["totals"].items():
        hours, days = profile["hours"][aggregate], profile["days"][aggregate]
        windows = {"lifetime": total}
        for window, length_ms in WINDOWS.items():
            buckets, width_ms = (hours, HOUR_MS) if length_ms <= 7 * DAY_MS else (days, DAY_MS)
            first = (now_ms - length_ms) // width_ms + 1
            windows[window] = sum(amount for bucket, amount in buckets.items() if int(bucket) >= first)
        aggregates[aggregate] = windows
    changes = segment_changes(profile, aggregates, now_ms)
    return {
        "user": user, "identifiers": profile["identifiers"], "aggregates": aggregates, "score": score(profile),
        "segments": profile["segments"], "segment_changes": changes, "first_touch": profile["first_touch"],
        "last_touch": profile["last_touch"], "cart": profile["cart"],
    }  # fmt: skip
