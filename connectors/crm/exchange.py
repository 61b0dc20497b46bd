"""One request to a CRM and its answer, as plain values."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

NO_ANSWER: Final = 0
MAX_TEXT: Final = 300


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    method: str
    path: str
    body: Any = None
    """Sent as JSON; None sends no body. Text is sent as it is, with the content type in ``headers``."""
    headers: Mapping[str, str] = {}
    tenant: str = ""
    policy: str = "default"
    """The limit that the request counts against."""
    cost: int = 1
    """The number of requests that it counts as."""
    login: Literal["connection", "journal", "none"] = "connection"
    """The login whose access key the request carries. ``none``: it carries none, because ``path`` is a whole URL with a
    signature of its own, of a host that must not see the key."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one request, or the lack of one."""

    status: int
    """HTTP status; ``NO_ANSWER`` if the connection failed or the time ran out. The CRM may have done it all the same.
    """
    body: Any = None
    """The JSON document; None if there is none."""
    headers: Mapping[str, str] = {}
    """By lower-case name."""
    text: str = ""
    """A body that is not JSON, or the kind of failure."""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx. The items of a batch may have failed nevertheless."""
        return 200 <= self.status < 300

    @property
    def retry_after_ms(self) -> int:
        """The time in ``Retry-After``, 0 without one or with a date."""
        text = self.headers.get("retry-after", "")
        return round(float(text) * 1000) if text.replace(".", "", 1).isdecimal() else 0

    def words(self) -> str:
        """Returns the CRM's own message, at most ``MAX_TEXT`` characters."""
        body = self.body if isinstance(self.body, dict) else {}
        message = str(body.get("message") or self.text or "no reason given")
        return self.words_with(message)

    def words_with(self, message: str) -> str:
        """Returns a message with the status, at most ``MAX_TEXT`` characters."""
        return f"HTTP {self.status}: {message}"[:MAX_TEXT].replace("\n", " ")


def dicts_in(value: Any) -> list[dict[str, Any]]:
    """Returns the objects of a JSON list; none for any other value."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


Send: TypeAlias = Callable[[Call], Answer]
