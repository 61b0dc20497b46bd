"""The envelope of an event: its known top-level fields, and the derivation of its channel.

Segment, RudderStack, Jitsu and their archives each add delivery fields of their own to the Segment spec.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pipeline.event.errors import InvalidEventError
from pipeline.event.model import CHANNELS, Channel

READ: Final = frozenset({
    "type", "event", "name", "category", "groupId", "messageId", "userId", "anonymousId", "previousId", "identifiers",
    "timestamp", "originalTimestamp", "sentAt", "receivedAt", "channel", "tenant", "source", "context", "properties",
    "traits",
})  # fmt: skip
"""Top-level fields that an event is read from."""
IGNORED: Final = frozenset({
    "integrations", "version", "writeKey", "projectId", "request_ip", "requestIp", "rudderId", "metadata", "options",
    "sourceId", "sourceType", "destinationId", "destinationType", "workspaceId", "recordId", "rudderTyperMetadata",
    "messageType", "userProperties", "isBot", "is_bot", "plan", "loadedAt", "uuid_ts", "uuidTs", "ip", "library",
    "isRetl", "statsOnly", "deploymentId",
})  # fmt: skip
"""Fields about the delivery, not about the customer. Fields that start with ``_`` are ignored too."""
_KNOWN: Final = READ | IGNORED
_BY_NAME: Final[dict[str, Channel]] = {channel: channel for channel in CHANNELS}
_APP: Final = re.compile(r"mobile|android|ios|iphone|flutter|react-native|unity|app\b", re.IGNORECASE)
_WEB: Final = re.compile(r"client|browser|web|javascript|\bjs\b|analytics\.js", re.IGNORECASE)
_ELSEWHERE: Final = re.compile(r"server|sources?|http|warehouse|cloud|(\w+[-_])?(sdk|api)", re.IGNORECASE)
_PLACES: Final[dict[str, Channel]] = {"page": "web", "device": "app", "app": "app", "screen": "app"}
"""Context objects that only a browser or only an app fills, with the channel that each implies."""


def refuse_unknown(document: Mapping[str, Any]) -> None:
    """Refuses fields that no known tool writes: most likely the name is misspelt.

    Raises:
        InvalidEventError: the document has such a field; the message names it.
    """
    if document.keys() <= _KNOWN:
        return
    for field in document:
        if field not in _KNOWN and not str(field).startswith("_"):
            raise InvalidEventError(str(field), "unknown field; put custom data into properties or context")


def channel_of(document: Mapping[str, Any], context: Mapping[str, Any], known: Channel | None) -> Channel:
    """Returns the channel of an event: the stated one, else that of its source, else the one its SDK implies.

    Raises:
        InvalidEventError: the channel cannot be derived.
    """
    # Tools also write the kind of client into ``channel`` (client, server, mobile, android-sdk). Such a word is used
    # only where the channel of the source is not configured.
    stated = document.get("channel")
    if isinstance(stated, str) and (named := _BY_NAME.get(stated)) is not None:
        return named
    if known is not None and (stated is None or isinstance(stated, str)):
        return known
    guessed = _by_sdk(stated, context) if isinstance(stated, str) else None
    if guessed is None:
        field = "channel"
        raise InvalidEventError(field, f"must be one of {', '.join(CHANNELS)}, or be set for the source (--channel)")
    return guessed


def _by_sdk(word: str, context: Mapping[str, Any]) -> Channel | None:
    if _APP.search(word):
        return "app"
    if _WEB.search(word):
        return "web"
    if not _ELSEWHERE.fullmatch(word):
        return None
    filled = (channel for place, channel in _PLACES.items() if isinstance(context.get(place), dict) and context[place])
    return next(filled, "web")
