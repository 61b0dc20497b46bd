"""The OpenAPI description of the plain JSON endpoint, served at ``/openapi.json``."""

from typing import Any, Final

from pipeline.event.model import TYPES

_TEXT: Final = {"type": "string"}
_BAG: Final = {"type": "object", "additionalProperties": True}
_TIME: Final = {
    "oneOf": [{"type": "string"}, {"type": "number"}],
    "description": "ISO 8601, or seconds, milliseconds or microseconds since 1970.",
}
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": list(TYPES)},
        "event": {**_TEXT, "description": "What happened, as in Order Completed. Required for track."},
        "name": {**_TEXT, "description": "Name of a page or screen."},
        "messageId": {
            **_TEXT,
            "maxLength": 256,
            "description": "Stays the same when the event is sent again. Absent: a hash of the content.",
        },
        "timestamp": {**_TIME, "description": "When it happened. Absent: the time of receipt."},
        "originalTimestamp": _TIME,
        "sentAt": {**_TIME, "description": "With timestamp: corrects the sender's clock."},
        "userId": {"type": ["string", "integer"]},
        "anonymousId": {"type": ["string", "integer"]},
        "previousId": {"type": ["string", "integer"], "description": "For alias."},
        "groupId": {"type": ["string", "integer"], "description": "For group: the account."},
        "identifiers": {**_BAG, "description": "Type to value or values, as in email or loyalty_id."},
        "properties": _BAG,
        "traits": _BAG,
        "context": _BAG,
    },
}
_RESULT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["success", "accepted", "rejected"],
    "properties": {
        "success": {"const": True},
        "accepted": {"type": "integer"},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "reason", "detail"],
                "properties": {"index": {"type": "integer"}, "reason": _TEXT, "detail": _TEXT},
            },
        },
        "dropped": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}
_REFUSED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["success", "error"],
    "properties": {"success": {"const": False}, "error": _TEXT},
}


def _refusal(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
    }


OPENAPI: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Stitchline collector",
        "version": "1",
        "description": "Takes events in the Segment spec. The answer comes once they are safe.",
    },
    "security": [{"bearer": []}, {"basic": []}, {"writeKey": []}],
    "paths": {
        "/v1/events": {
            "post": {
                "summary": "Send one event, an array of events, or an object with events.",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "oneOf": [
                                    {"$ref": "#/components/schemas/Event"},
                                    {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
                                    {
                                        "type": "object",
                                        "required": ["events"],
                                        "additionalProperties": False,
                                        "properties": {
                                            "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}}
                                        },
                                    },
                                ]
                            }
                        }
                    },
                },
                "responses": {
                    "200": {
                        "description": "Every item is safe: accepted, or quarantined with the reason given.",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Result"}}},
                    },
                    "401": _refusal("No source has this write key."),
                    "403": _refusal("The source does not allow this origin or this endpoint."),
                    "413": _refusal("The body is too large, before or after decompression."),
                    "415": _refusal("The content encoding is neither gzip nor deflate."),
                    "429": _refusal("Over the rate or the daily cap of the source; see Retry-After."),
                    "503": _refusal("The events cannot be kept safe now; see Retry-After."),
                },
            }
        }
    },
    "components": {
        "schemas": {"Event": _EVENT, "Result": _RESULT, "Refused": _REFUSED},
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
            "basic": {"type": "http", "scheme": "basic", "description": "The write key as user, no password."},
            "writeKey": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
        },
    },
}
