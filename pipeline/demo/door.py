"""The demo's way in: a collector, and clients that send to it as a shop's systems do.

The web shop and the app use Segment's Python SDK, unmodified; the e-mail service and the tills post signed webhooks,
one for each event. The collector acknowledges what Kafka has.
"""

import hmac
import http.client
import secrets
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain
from pathlib import Path
from shutil import copytree
from typing import Final
from zlib import crc32

import msgspec

from connectors.collect.write_keys import hash_of, new_key
from pipeline.demo.sdk_client import SdkClient
from pipeline.demo.visits import JsonEvent
from pipeline.demo.waiting import holds_within
from pipeline.errors import OperatorError
from pipeline.local.ports import is_listening

BY_SDK: Final = {"web": 3, "app": 1}
"""Channel to the number of its applications: the web shop runs on three servers."""
HOOKED: Final = ("email", "pos")
CHANNELS: Final = frozenset({*BY_SDK, *HOOKED})
"""The channels whose events come in through the collector."""
RULES: Final = "collector-rules"
"""Folder in the demo's home folder: the rules in force, and the shop's sources."""
CLIENTS: Final = 4
"""Threads that post webhooks."""
MAX_WAITING: Final = 64
"""Webhooks that are not answered, above which the shop waits."""
READY_SECONDS: Final = 60.0
REQUEST_SECONDS: Final = 60.0
_SECRET: Final = "collector.secret"  # noqa: S105  a file's name
_OUTSIDE_DATA: Final = frozenset({"type", "event", "messageId", "channel", "timestamp", "properties"})


class DoorError(OperatorError):
    """The collector did not take an event, or is not there. Operator action: see the workers' log."""


class Door:
    """Sends events to a collector on this machine. A context manager: leaving it ends the clients."""

    def __init__(self, port: int, credentials: "Credentials") -> None:
        self._port, self._credentials = port, credentials
        self._given_up: list[str] = []
        self._applications = {
            channel: [SdkClient(key, f"http://127.0.0.1:{port}", self._given_up.append) for _ in range(BY_SDK[channel])]
            for channel, key in credentials.keys.items()
        }
        self._clients = ThreadPoolExecutor(CLIENTS, "demo-client")
        self._own = threading.local()
        self._requests: list[Future[None]] = []

    def send(self, events: Sequence[JsonEvent]) -> None:
        """Sends events. Returns before they are taken, unless too many wait.

        Raises:
            DoorError: an event sent earlier was not taken.
        """
        for event in events:
            if event["channel"] in HOOKED:
                self._requests.append(self._clients.submit(self._webhook, event))
            elif servers := self._applications.get(event["channel"]):
                visitor = event.get("anonymousId", "").encode()  # a browser stays with its server
                servers[crc32(visitor) % len(servers)].send(event, self._check)
        self._wait_for_webhooks(MAX_WAITING)

    def wait(self) -> None:
        """Returns once every event has been taken. Raises as :meth:`send`."""
        self._wait_for_webhooks(0)
        for application in chain(*self._applications.values()):
            application.wait(self._check)
        self._check()

    def close(self) -> None:
        """Ends the clients."""
        self._clients.shutdown(cancel_futures=True)
        for application in chain(*self._applications.values()):
            application.close()

    def _check(self) -> None:
        if self._given_up:
            raise DoorError(self._given_up[0])

    def _wait_for_webhooks(self, waiting: int) -> None:
        """Returns once at most so many webhooks wait."""
        self._check()
        while self._requests and (len(self._requests) > waiting or self._requests[0].done()):
            self._requests.pop(0).result(REQUEST_SECONDS)

    def _webhook(self, event: JsonEvent) -> None:
        """A delivery as Standard Webhooks define it."""
        rest = {name: value for name, value in event.items() if name not in _OUTSIDE_DATA}
        data = {**event.get("properties", {}), **rest}
        body = msgspec.json.encode({"type": event["event"], "timestamp": event["timestamp"], "data": data})
        at = str(int(time.time()))
        signed = f"{event['messageId']}.{at}.".encode() + body
        signature = b64encode(hmac.new(self._credentials.secret, signed, sha256).digest()).decode()
        headers = {
            "webhook-id": event["messageId"], "webhook-timestamp": at, "webhook-signature": f"v1,{signature}",
        }  # fmt: skip
        self._post(f"/webhooks/standard/{event['channel']}", body, headers)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port, REQUEST_SECONDS)
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            message = f"the collector did not answer: {type(error).__name__}"
            raise DoorError(message) from error
        if answer.status != http.HTTPStatus.OK or msgspec.json.decode(content)["accepted"] != 1:
            message = f"the collector did not take an event: {answer.status} {content[:500].decode(errors='replace')}"
            raise DoorError(message)


class Credentials(msgspec.Struct, frozen=True):
    """What the shop's systems prove themselves with."""

    keys: dict[str, str]
    """Write key by channel."""
    secret: bytes
    """Key of the webhooks' signatures."""


def declare_sources(folder: Path, rules: Path | None) -> Credentials:
    """Writes a rules directory for the collector: the rules in force, and the shop's sources."""
    if rules is not None:
        copytree(rules, folder)
    folder.mkdir(exist_ok=True)
    credentials = Credentials({channel: new_key() for channel in BY_SDK}, secrets.token_bytes(24))
    (folder / _SECRET).write_bytes(b"whsec_" + b64encode(credentials.secret))
    lines = ["sources:"]
    for channel, key in credentials.keys.items():
        lines += [f"  - name: {channel}", f"    channel: {channel}", f"    write_keys: ['{hash_of(key)}']"]
    for channel in HOOKED:
        lines += [f"  - name: {channel}", f"    channel: {channel}"]
        lines += [f"    webhooks: [{{vendor: standard, secret_files: [{_SECRET}]}}]"]
    (folder / "sources.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return credentials


@contextmanager
def open_door(port: int, credentials: Credentials, check: Callable[[], None]) -> Iterator[Door]:
    """Waits until the collector listens, and yields the way in. Calls ``check`` while waiting.

    Raises:
        DoorError: the collector did not listen in time.
    """
    if not holds_within(READY_SECONDS, lambda: is_listening(port), check):
        message = f"the collector was not ready within {READY_SECONDS:.0f} s"
        raise DoorError(message)
    door = Door(port, credentials)
    try:
        yield door
    finally:
        door.close()
