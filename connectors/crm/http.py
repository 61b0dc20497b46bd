"""The HTTP layer of all CRM sinks: time limits, access keys, token buckets, and answers as plain values.

It repeats a request only once, with a new access key after 401. All other repetitions are the runner's, because a
repeated action must keep its place in the order of its lead.
"""

from collections.abc import Callable
from typing import Final

import httpx2
import msgspec

from connectors.crm.access_key import AccessKey, Key
from connectors.crm.bucket import Buckets
from connectors.crm.budget import Budget
from connectors.crm.exchange import NO_ANSWER, Answer, Call
from pipeline.clock import Clock
from pipeline.obs import metrics as names
from pipeline.obs.metrics import Metrics

UNAUTHORIZED: Final = 401


class CrmHttp:
    """Sends the requests of one sink. ``sleep`` waits some seconds for the next token of a bucket.

    ``scheme`` is the word before the access key in the header ``Authorization``. ``journal`` is the access key of calls
    with the login ``journal``; None: the connection's own.
    """

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
        scheme: str = "Bearer",
        budget: Budget | None = None,
        journal: AccessKey | None = None,
    ) -> None:
        self._scheme, self._budget, self._journal = scheme, budget, journal
        self._client, self._key, self._sink, self._buckets = client, key, sink, buckets
        self._clock, self._sleep, self._metrics = clock, sleep, metrics
        self.before_each: Callable[[], None] = lambda: None
        """Called before each request. The runner proves here that no other has taken over, or raises."""

    def send(self, call: Call) -> Answer:
        """Returns the answer, whatever its status, also if the connection fails.

        Raises:
            StoppedError: The login is refused or limited, or the sink's share of the day's requests is used.
            SinkError: Another runner has taken over.
        """
        if call.login == "none":
            return self._answer(call, call.path, dict(call.headers))
        if call.login == "journal":
            return self._signed(call, self._journal or self._key)
        if self._budget is not None and self._budget.left_ms(self._clock()):
            raise self._budget.pause(self._clock())
        answer = self._signed(call, self._key)
        if self._budget is not None:
            self._budget.note(answer.headers, self._clock())
        return answer

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _signed(self, call: Call, access: AccessKey) -> Answer:
        key = access.current()
        answer = self._send(call, key)
        if answer.status == UNAUTHORIZED and (newer := access.after(key)) != key:
            answer = self._send(call, newer)
        return answer

    def _send(self, call: Call, key: Key) -> Answer:
        headers = {"authorization": f"{self._scheme} {key.text}", "content-type": "application/json", **call.headers}
        return self._answer(call, key.url + call.path, headers)

    def _answer(self, call: Call, url: str, headers: dict[str, str]) -> Answer:
        self.before_each()
        while wait := self._buckets.take(call.tenant, call.policy, self._clock(), call.cost):
            self._sleep(wait / 1000)
        is_text = isinstance(call.body, str)
        content = call.body if call.body is None or is_text else msgspec.json.encode(call.body)
        try:
            response = self._client.request(call.method, url, content=content, headers=headers)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            self._metrics.add(names.CRM_CALLS, 1, self._sink, str(NO_ANSWER))
            return Answer(status=NO_ANSWER, text=f"no answer ({type(error).__name__})")
        self._metrics.add(names.CRM_CALLS, 1, self._sink, str(response.status_code))
        return answer_of(response)


def answer_of(response: httpx2.Response) -> Answer:
    """Returns the answer as plain values."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        body = msgspec.json.decode(response.content) if response.content else None
    except (msgspec.MsgspecError, ValueError):
        return Answer(status=response.status_code, headers=headers, text=response.text)
    return Answer(status=response.status_code, headers=headers, body=body)
