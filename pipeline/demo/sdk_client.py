"""The demo's web shop and app: each sends through an unmodified client of Segment's Python SDK.

The SDK queues, batches and sends again as it does in any application. It ignores the answer's
content: an event that the collector rejects is missing from the demo's result.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from pipeline.demo.visits import JsonEvent

MAX_QUEUED: Final = 1_000
"""Events in the SDK's queue, above which the shop waits: the screen shows what is on its way as sent."""
UPLOAD_SECONDS: Final = 0.1
"""How long the SDK waits for a batch to fill."""
MAX_RETRIES: Final = 5
TURN_SECONDS: Final = 0.005


class SdkClient:
    """One application. Its events are sent in their order, by the SDK's thread."""

    def __init__(self, write_key: str, url: str, failed: Callable[[str], None]) -> None:
        """``failed`` is called in the SDK's thread with the reason why the SDK has given up a batch."""
        from segment.analytics.client import Client  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional extra

        self._sdk = Client(
            write_key,
            host=url,
            on_error=lambda error, _batch: failed(f"the SDK gave up a batch: {error}"),
            max_queue_size=MAX_QUEUED,
            upload_interval=UPLOAD_SECONDS,
            max_retries=MAX_RETRIES,
            log_handler=logging.NullHandler(),
        )

    def send(self, event: JsonEvent, check: Callable[[], None]) -> None:
        """Hands an event to the SDK. Calls ``check`` while the SDK's queue is full."""
        while self._sdk.queue.full():
            check()
            time.sleep(TURN_SECONDS)
        call: dict[str, Any] = {
            "user_id": event.get("userId"),
            # The SDK demands one of both ids. An app's event before the log-in has a device only.
            "anonymous_id": event.get("anonymousId", ""),
            "message_id": event["messageId"],
            "timestamp": datetime.fromisoformat(event["timestamp"]),
            "context": _context_of(event),
        }
        match event["type"]:
            case "track":
                self._sdk.track(event=event["event"], properties=event.get("properties"), **call)
            case "identify":
                self._sdk.identify(traits=event.get("traits"), **call)
            case "page":
                self._sdk.page(properties=event.get("properties"), **call)
            case "screen":
                self._sdk.screen(properties=event.get("properties"), **call)

    def wait(self, check: Callable[[], None]) -> None:
        """Returns once the SDK has sent every event or given it up. Calls ``check`` while its queue is not empty."""
        while not self._sdk.queue.empty():
            check()
            time.sleep(TURN_SECONDS)
        self._sdk.flush()

    def close(self) -> None:
        """Ends the SDK's thread. Drops what is queued."""
        self._sdk.join()


def _context_of(event: JsonEvent) -> JsonEvent:
    """Returns the event's context with its further identifiers where Segment's spec has them."""
    context = dict(event.get("context", {}))
    identifiers = dict(event.get("identifiers", {}))
    if device := identifiers.pop("device_id", ""):
        context["device"] = {"id": device}
    if identifiers:
        context["externalIds"] = [
            {"id": value, "type": kind, "collection": "users", "encoding": "none"}
            for kind, value in identifiers.items()
        ]
    return context
