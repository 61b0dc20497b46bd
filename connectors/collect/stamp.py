"""Sets what only the server knows about an event, and removes what the source wants removed."""

from functools import cached_property
from hashlib import blake2b
from typing import Any, Final

from msgspec.json import encode

from connectors.collect.address import anonymised
from connectors.collect.dialects.parsed import Document
from connectors.collect.request import Request
from connectors.collect.sources import LiveSource
from connectors.collect.user_agent import UserAgent, read_user_agent
from pipeline.event.instant import format_instant

VISITORS: Final = frozenset({"web", "app"})
"""Channels whose requests come from the customer's own device, with the customer's address and user agent."""
BROWSER: Final = "Mozilla/"
"""Start of every browser's user agent. A server that sends events of the web channel has another."""
VOLATILE: Final = ("sentAt", "receivedAt", "writeKey")
"""Fields that differ when the same event is sent again."""
HASH_ID: Final = "content-"


class Stamp:
    """The facts of one request, for each of its events."""

    def __init__(self, request: Request, source: LiveSource) -> None:
        self._source = source
        self._received_ms = request.received_ms
        channel, agent = source.rules.channel, request.headers.get("user-agent", "")
        parsed = read_user_agent(agent) if agent and channel in VISITORS else None
        is_visitor = channel == "app" or (parsed is not None and agent.startswith(BROWSER))
        self._agent_text, self._agent = agent, parsed if is_visitor else None
        self._ip = self._shown(request.client_ip) if is_visitor else ""
        self.is_bot = parsed is not None and parsed.is_bot
        """Whether the request's user agent is a crawler's."""

    def set(self, document: Document, raw: bytes) -> None:
        """Completes a document in place. ``raw`` are the bytes that it was read from.

        1. Message id: where there is none, a hash of the content as sent.
        2. Tenant, source and channel are the source's, whatever the document states.
        3. Time of receipt, by which a device's clock is corrected, and which is the event time of a document without
           one.
        4. Context: address and user agent.
        5. Personal fields are removed or hashed.
        """
        # 1. message id
        if not document.get("messageId"):
            document["messageId"] = content_id(document, raw)
        # 2. tenant, source and channel
        defaults = self._source.defaults
        document["tenant"], document["source"], document["channel"] = defaults.tenant, defaults.source, defaults.channel
        # 3. time of receipt
        if document.get("originalTimestamp") is not None:
            document.setdefault("receivedAt", self._received)
        elif document.get("timestamp") is None:
            document["timestamp"] = self._received
        # 4. context
        context = document.get("context")
        if context is None or context == []:  # PHP writes an empty object as an empty array
            context = document["context"] = {}
        if isinstance(context, dict):
            self._complete(context)
        # 5. personal fields
        self._source.personal.remove(document)

    @cached_property
    def _received(self) -> str | None:
        """The time of receipt as text, which few requests need."""
        return format_instant(self._received_ms)

    def _complete(self, context: dict[str, Any]) -> None:
        stated = context.get("ip")
        if isinstance(stated, str) and stated:
            context["ip"] = self._shown(stated)
        elif self._ip:
            context["ip"] = self._ip
        if context.get("ip") == "":
            del context["ip"]
        agent = self._agent
        if agent is not None:
            context.setdefault("userAgent", self._agent_text)
            _describe(context, agent)

    def _shown(self, address: str) -> str:
        policy = self._source.rules.ip
        return anonymised(address) if policy == "anonymise" else address if policy == "keep" else ""


def content_id(document: Document, raw: bytes) -> str:
    """Returns a message id that is the same when the same content is sent again."""
    content = {name: value for name, value in document.items() if name not in VOLATILE}
    try:
        encoded = encode(content, order="deterministic")
    except (OverflowError, ValueError, RecursionError):  # integers of more than 64 bits
        encoded = raw
    return HASH_ID + blake2b(encoded, digest_size=16).hexdigest()


def _describe(context: dict[str, Any], agent: UserAgent) -> None:
    if agent.browser:
        context.setdefault("browser", agent.browser)
    if agent.os:
        context.setdefault("os", agent.os)
    if agent.is_bot:
        context["bot"] = True
