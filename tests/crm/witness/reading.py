"""A CRM that a reader and a vendor's client read in turn, so that both can be compared.

``POST /by-hand/next`` changes the CRM by hand, lets our reader read every stream, and answers with its requests and
with what it read. The client then sends the same requests by its own calls. ``POST /by-hand/next`` answers 204 after
the last step.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import httpx2
import msgspec

from connectors.sources.crm.change import Change, Fate, ObjectKind
from connectors.sources.crm.connect import open_reader
from pipeline.event.instant import parse_instant
from tests.crm.pull_world import PullWorld

Asked: TypeAlias = tuple[Any, ...]
NEXT = "/by-hand/next"
MAX_PAGES = 50
"""Of one stream in one step."""


class _Seen:
    """The objects that the reader has read."""

    def __init__(self) -> None:
        self._present: dict[ObjectKind, set[str]] = {kind: set() for kind in ObjectKind}

    def add(self, changes: Iterable[Change]) -> None:
        for change in changes:
            keep = self._present[change.kind]
            (keep.add if change.fate is Fate.PRESENT else keep.discard)(change.id)

    def present(self, kind: ObjectKind) -> Iterable[str]:
        return self._present[kind]


class Reading:
    """A world behind a socket. ``steps`` change it by hand, and the reader reads after each."""

    def __init__(
        self,
        world: PullWorld,
        steps: Sequence[Callable[[], None]],
        serve_at: Callable[[str], None] = lambda _url: None,
    ) -> None:
        self.serve_at = serve_at
        """Called with the base URL of the socket."""
        self._world, self._steps, self._emulator = world, [*steps], world.transport()
        self.calls: list[str] = []
        """Method and path of every request of the client."""
        self._client_asked: set[Asked] = set()
        self._reader_asked: list[dict[str, Any]] = []
        self._cursors: dict[str, str] = {}
        client = world.client()
        client.event_hooks = {"response": [self._note]}
        self._seen = _Seen()
        self._reader = open_reader(world.connection, world.http(client).send, world.clock, self._seen)
        self.missing: list[str] = []
        """Requests of the reader that the client has not sent."""
        self.is_over = False
        """Whether the client has taken every step."""

    def transport(self) -> httpx2.MockTransport:
        """What answers the client."""
        return httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == NEXT:
            return self._next()
        self.calls.append(f"{request.method} {request.url.path}")
        self._client_asked.add(asked(request))
        return self._emulator.handle_request(request)

    def _next(self) -> httpx2.Response:
        self._compare()
        if not self._steps:
            self.is_over = True
            return httpx2.Response(204)
        self._world.pass_time(3600)
        self._steps.pop(0)()
        self._world.pass_time(60)
        self._reader_asked, self._client_asked = [], set()
        read = {stream: self._read(stream) for stream in self._reader.streams()}
        step = {"requests": [{**one, "asked": None} for one in self._reader_asked], "read": read}
        return httpx2.Response(200, content=msgspec.json.encode(step))

    def _read(self, stream: str) -> dict[str, Any]:
        """Returns what the reader reads of a stream until it has read all of it."""
        changes, gaps = [], []
        for _ in range(MAX_PAGES):
            page = self._reader.changes(stream, self._cursors.get(stream, ""))
            self._cursors[stream] = page.cursor
            changes += page.changes
            self._seen.add(page.changes)
            gaps += [page.gap] if page.gap else []
            if not page.more:
                return {"changes": changes, "gaps": gaps}
        message = f"{stream} has no end"
        raise AssertionError(message)

    def _note(self, response: httpx2.Response) -> None:
        response.read()
        request = response.request
        self._reader_asked.append({
            "method": request.method, "path": request.url.raw_path.decode(), "headers": dict(request.headers),
            "body": msgspec.json.decode(request.content) if request.content else None,
            "status": response.status_code, "asked": asked(request),
        })  # fmt: skip

    def _compare(self) -> None:
        self.missing += [str(one["asked"]) for one in self._reader_asked if one["asked"] not in self._client_asked]


def asked(request: httpx2.Request) -> Asked:
    """What a request asks for: method, path, parameters, body and the headers that matter, in one form."""
    parameters = sorted((name, _plain(value)) for name, value in parse_qsl(request.url.query.decode()))
    prefer = sorted(one.strip() for one in request.headers.get("prefer", "").split(",") if one)
    since = request.headers.get("if-modified-since", "")
    body = request.content
    if body.startswith(b"{"):
        body = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    path = request.url.path.rstrip("/")
    return request.method, path, tuple(parameters), body, tuple(prefer), parse_instant(since) if since else None


def _plain(value: str) -> str:
    return value.lower() if value in {"True", "False"} else value
