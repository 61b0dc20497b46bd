"""The HTTP layer of all CRM sinks: time limits, access keys, token buckets, and answers as plain values.

It repeats a request only once, with a new access key after 401. All other repetitions are the runner's, because a
repeated action must keep its place in the order of its lead.
"""

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final, TypeAlias

import httpx2
import msgspec

from connectors.crm.bucket import Buckets
from pipeline.clock import Clock
from pipeline.obs import metrics as names
from pipeline.obs.metrics import Metrics

NO_ANSWER: Final = 0
UNAUTHORIZED: Final = 401
MAX_TEXT: Final = 300


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    method: str
    path: str
    body: Any = None
    """Sent as JSON; None sends no body."""
    tenant: str = ""
    policy: str = "default"
    """The limit that the request counts against."""


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
    """The beginning of a body that is not JSON, or the kind of failure."""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx. Says nothing about the items of a batch."""
        return 200 <= self.status < 300

    @property
    def retry_after_ms(self) -> int:
        """The time that ``Retry-After`` asks for, 0 without one or with a date."""
        text = self.headers.get("retry-after", "")
        return round(float(text) * 1000) if text.replace(".", "", 1).isdecimal() else 0

    def words(self) -> str:
        """Returns the CRM's own message, at most ``MAX_TEXT`` characters."""
        body = self.body if isinstance(self.body, dict) else {}
        message = str(body.get("message") or self.text or "no reason given")
        return f"HTTP {self.status}: {message}"[:MAX_TEXT].replace("\n", " ")


Send: TypeAlias = Callable[[Call], Answer]


class AccessKey:
    """The current access key. Of several callers that meet the same refused key, one fetches the next."""

    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch, self._lock, self._key = fetch, Lock(), ""

    def current(self) -> str:
        """Returns the key, fetched at the first call."""
        with self._lock:
            self._key = self._key or self._fetch()
            return self._key

    def after(self, refused: str) -> str:
        """Returns the key that replaces a refused one; the refused one itself if there is no other."""
        with self._lock:
            if self._key == refused:
                self._key = self._fetch()
            return self._key


class CrmHttp:
    """Sends the requests of one sink. ``sleep`` waits some seconds for the next token of a bucket."""

    def __init__(
        self,
        client: httpx2.Client,
        key: AccessKey,
        *,
        sink: str,
        buckets: Buckets,
        clock: Clock,
        sleep: Callable[[float], object],
        metrics: Metrics,
    ) -> None:
        self._client, self._key, self._sink, self._buckets = client, key, sink, buckets
        self._clock, self._sleep, self._metrics = clock, sleep, metrics
        self.before_each: Callable[[], None] = lambda: None
        """Called before each request. The runner proves here that no other has taken over, or raises."""

    def send(self, call: Call) -> Answer:
        """Returns the answer, whatever its status, also if the connection fails.

        Raises:
            SinkError: Another runner has taken over.
        """
        key = self._key.current()
        answer = self._send(call, key)
        if answer.status == UNAUTHORIZED and (newer := self._key.after(key)) != key:
            answer = self._send(call, newer)
        return answer

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _send(self, call: Call, key: str) -> Answer:
        self.before_each()
        while wait := self._buckets.take(call.tenant, call.policy, self._clock()):
            self._sleep(wait / 1000)
        try:
            response = self._client.request(
                call.method,
                call.path,
                content=None if call.body is None else msgspec.json.encode(call.body),
                headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
            )
        except httpx2.RequestError as error:
            self._metrics.add(names.CRM_CALLS, 1, self._sink, str(NO_ANSWER))
            return Answer(status=NO_ANSWER, text=f"no answer ({type(error).__name__})")
        self._metrics.add(names.CRM_CALLS, 1, self._sink, str(response.status_code))
        return _answer(response)


def _answer(response: httpx2.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        body = msgspec.json.decode(response.content) if response.content else None
    except (msgspec.MsgspecError, ValueError):
        return Answer(status=response.status_code, headers=headers, text=response.text[:MAX_TEXT])
    return Answer(status=response.status_code, headers=headers, body=body)
