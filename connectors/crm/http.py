"""The HTTP layer of all CRM sinks: time limits, access keys, token buckets, and answers as plain values.

It repeats a request only once, with a new access key after 401. All other repetitions are the runner's, because a
repeated action must keep its place in the order of its lead.
"""

from collections.abc import Callable
from threading import Lock
from typing import Final

import httpx2
import msgspec

from connectors.crm.bucket import Buckets
from connectors.crm.exchange import MAX_TEXT, NO_ANSWER, Answer, Call
from pipeline.clock import Clock
from pipeline.obs import metrics as names
from pipeline.obs.metrics import Metrics

UNAUTHORIZED: Final = 401


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
