"""The live workload's job in plain Python, as the peers of Stitchline run it. Imports nothing of Stitchline.

For each event: drop repetitions, keep counts and sums over windows, keep a score with a cap, publish the profile, and
make a lead once the score reaches 70. A peer keeps what :func:`apply` returns in its own state.
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
HEADER_BYTES = 5
"""Magic byte and schema id."""
SCHEMA = fastavro.parse_schema(
    json.loads((Path(__file__).parents[3] / "schemas" / "event-web.avsc").read_text(encoding="utf-8"))
)
"""The channels' schemas have the same columns in the same order."""

BROKERS, NAME, HOME = (os.environ.get(f"BENCH_{name}", "") for name in ("BROKERS", "NAME", "HOME"))
EVENTS_TOPIC, PROFILES_TOPIC, LEADS_TOPIC = f"{NAME}.events", f"{NAME}.profiles", f"{NAME}.leads"
COMMIT_SECONDS = float(os.environ.get("BENCH_COMMIT_SECONDS", "2"))


def decode(value: bytes) -> dict[str, Any]:
    """Returns the event in an Avro record."""
    event: Any = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), SCHEMA, None)
    event["properties"] = json.loads(event["properties"])
    return dict(event)


def message_id(event: dict[str, Any]) -> str:
    """Returns the id under which an event counts once."""
    return f"{event['source']}/{event['message_id']}"


def new_profile() -> dict[str, Any]:
    """Returns the profile of a customer without events."""
    return {"totals": {}, "hours": {}, "days": {}, "points": 0, "view_points": 0, "is_lead": False, "identifiers": []}


def apply(profile: dict[str, Any], event: dict[str, Any]) -> bool:
    """Books an event into a profile. Returns whether the customer has just become a lead."""
    at_ms, name = event["timestamp_ms"], event["event"]
    for aggregate, amount in _amounts(event):
        profile["totals"][aggregate] = profile["totals"].get(aggregate, 0) + amount
        _book(profile["hours"].setdefault(aggregate, {}), at_ms // HOUR_MS, amount, HOURS_KEPT)
        _book(profile["days"].setdefault(aggregate, {}), at_ms // DAY_MS, amount, DAYS_KEPT)
    profile["identifiers"] = sorted({*profile["identifiers"], *event["identifiers"]})
    profile["points"] += POINTS.get(name, 0)
    profile["view_points"] += VIEW_POINTS if name == "product_viewed" else 0
    became_lead = not profile["is_lead"] and score(profile) >= LEAD_SCORE
    profile["is_lead"] = profile["is_lead"] or became_lead
    return became_lead


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
    """Returns the profile record to publish."""
    aggregates = {}
    for aggregate, total in profile["totals"].items():
        hours, days = profile["hours"][aggregate], profile["days"][aggregate]
        windows = {"lifetime": total}
        for window, length_ms in WINDOWS.items():
            buckets, width_ms = (hours, HOUR_MS) if length_ms <= 7 * DAY_MS else (days, DAY_MS)
            first = (now_ms - length_ms) // width_ms + 1
            windows[window] = sum(amount for bucket, amount in buckets.items() if int(bucket) >= first)
        aggregates[aggregate] = windows
    return {
        "user": user, "identifiers": profile["identifiers"], "aggregates": aggregates, "score": score(profile)
    }  # fmt: skip
