"""The server on real sockets: slow and large clients are cut off, others are answered, and the end drains."""

import asyncio
import contextlib
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from connectors.collect.connections import ConnectionLimits, Respond
from connectors.collect.request import Answer, Request
from connectors.collect.server import CollectAddressError, CollectServer, Listening
from pipeline.obs import metrics as m
from pipeline.obs.metrics import Metrics
from tests.support.waiting import deadline_seconds, eventually

HEAD = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n"


class Echo:
    """An application that answers with the length of the body, or waits until it is released."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.released = threading.Event()
        self.given_up = 0

    def begin(self, request: Request) -> Answer | None:
        return Answer(403, b"no") if request.path == "/refused" else None

    def give_up(self, request: Request) -> None:
        self.given_up += 1

    def handle(self, request: Request, body: bytes, respond: Respond) -> None:
        if request.path == "/wait" and not self.released.is_set():
            self.waiting.set()
            asyncio.get_running_loop().call_later(0.01, self.handle, request, body, respond)
        else:
            respond(Answer(200, str(len(body)).encode()))

    def report(self) -> None:
        """Counts nothing."""


class Serving:
    """A server in a thread of its own."""

    def __init__(self, app: Echo, limits: ConnectionLimits, listening: Listening) -> None:
        self.app, self.metrics = app, Metrics()
        self.server = CollectServer(app, listening, self.metrics, limits)
        self.port = self.server.port
        self._listens = threading.Event()
        self.thread = threading.Thread(target=lambda: uvloop.run(self.server.run(self._listens.set)))
        self.thread.start()
        assert self._listens.wait(deadline_seconds())

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), deadline_seconds())
        connection.settimeout(deadline_seconds())
        return connection

    def cuts(self, cause: str) -> float:
        return self.metrics.value(m.COLLECT_CUT, cause)


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    """Starts servers that end with the test."""
    started: list[Serving] = []

    def start(limits: ConnectionLimits | None = None, **listening: Any) -> Serving:
        at = Listening(host="127.0.0.1", port=0, **listening)
        started.append(Serving(Echo(), limits or ConnectionLimits(), at))
        return started[-1]

    yield start
    for serving in started:
        serving.app.released.set()
        serving.server.stop()
        serving.thread.join(deadline_seconds())


@contextmanager
def closed_by_server(connection: socket.socket) -> Iterator[None]:
    yield
    with contextlib.suppress(ConnectionError):
        assert connection.recv(1000) == b""
    connection.close()


def answer(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < 1:
        data += connection.recv(1000)
    return data


def test_requests_are_answered_one_after_the_other_and_in_pieces(serve: Callable[..., Serving]) -> None:
    with serve().connect() as connection:
        for _ in range(3):
            connection.sendall(HEAD + b"Content-Length: 5\r\n\r\nab")
            connection.sendall(b"cde")
            assert answer(connection).endswith(b"\r\n\r\n5")
        connection.sendall((HEAD + b"Content-Length: 1\r\n\r\na") * 2)
        assert answer(connection).startswith(b"HTTP/1.1 200")


def test_requests_without_a_pause_are_answered_in_their_order(serve: Callable[..., Serving]) -> None:
    bodies = [b"x" * (number % 7) for number in range(3000)]
    sent = b"".join(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)
    serving = serve()
    with serving.connect() as connection:
        threading.Thread(target=connection.sendall, args=[sent]).start()
        received = read_until(connection, lambda data: data.count(b"HTTP/1.1 200") == len(bodies), b"\r\n\r\n3")
    lengths = [int(part.partition(b"\r\n\r\n")[2]) for part in received.split(b"HTTP/1.1 200")[1:]]
    assert lengths == [len(body) for body in bodies]


def test_a_request_behind_one_that_is_being_answered_waits_for_its_turn(serve: Callable[..., Serving]) -> None:
    serving = serve(ConnectionLimits(max_body_bytes=10))
    too_large = HEAD + b"Content-Length: 11\r\n\r\n" + b"x" * 11
    with serving.connect() as connection:
        connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\na" + too_large)
        assert serving.app.waiting.wait(deadline_seconds())
        serving.app.released.set()
        received = read_until(connection, lambda data: b"HTTP/1.1 413" in data)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"200", b"413"]


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 11\r\n\r\n" + b"x" * 11,
        b"Transfer-Encoding: chunked\r\n\r\n6\r\nxxxxxx\r\n6\r\nxxxxxx\r\n0\r\n\r\n",
    ],
)
def test_a_body_above_the_limit_is_refused_and_ends_the_connection(serve: Callable[..., Serving], body: bytes) -> None:
    serving = serve(ConnectionLimits(max_body_bytes=10))
    with serving.connect() as connection:
        connection.sendall(HEAD + body)
        received = read_until(connection, lambda data: b"larger than" in data)
    assert received.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in received
    assert serving.app.given_up == 1


def test_a_head_that_is_refused_needs_no_body(serve: Callable[..., Serving]) -> None:
    with serve().connect() as connection:
        connection.sendall(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 403")
        assert connection.recv(100) == b""


def test_a_client_that_asks_first_is_let_go_on(serve: Callable[..., Serving]) -> None:
    with serve().connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"a")
        assert answer(connection).endswith(b"\r\n\r\n1")


def test_a_client_that_leaves_in_a_body_gives_its_room_back(serve: Callable[..., Serving]) -> None:
    serving = serve()
    with serving.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 5\r\n\r\nab")
        eventually(lambda: serving.metrics.value(m.COLLECT_CONNECTIONS) == 1, "it is connected")
    eventually(lambda: serving.app.given_up == 1, "the request is given up")


@pytest.mark.parametrize(
    ("request_head", "length", "stays"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"0", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"0", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", b"0", False),
        (b"POST http://x/y HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", b"1", True),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"", True),
    ],
)
def test_the_connection_stays_where_http_says_so(
    serve: Callable[..., Serving], request_head: bytes, length: bytes, stays: bool
) -> None:
    with serve().connect() as connection:
        connection.sendall(request_head)
        head, _, body = read_until(connection, lambda data: b"\r\n\r\n" in data, length).partition(b"\r\n\r\n")
        assert body == length
        assert (b"connection: close" not in head) is stays
        if stays:
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nab")
            assert answer(connection).endswith(b"2")
        else:
            assert connection.recv(100) == b""


def read_until(connection: socket.socket, complete: Callable[[bytes], bool], end: bytes = b"") -> bytes:
    data = b""
    while not (complete(data) and data.endswith(end)):
        piece = connection.recv(100_000)
        assert piece, data[-200:]
        data += piece
    return data


def test_a_client_that_is_slow_with_its_head_or_its_body_is_cut_off(serve: Callable[..., Serving]) -> None:
    serving = serve(ConnectionLimits(head_seconds=0.1, body_seconds=0.1))
    for sent in (
        b"",
        b"PO",
        HEAD,
        HEAD + b"Content-Length: 5\r\n\r\nab",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n",
    ):
        connection = serving.connect()
        with closed_by_server(connection):
            connection.sendall(sent)
    eventually(lambda: serving.cuts("slow") == 5, "the metrics count them")


def test_a_slow_answer_is_not_the_clients_fault(serve: Callable[..., Serving]) -> None:
    serving = serve(ConnectionLimits(head_seconds=0.1, body_seconds=0.1))
    with serving.connect() as connection:
        connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert serving.app.waiting.wait(deadline_seconds())
        with serving.connect() as slow, closed_by_server(slow):
            slow.sendall(HEAD)
        serving.app.released.set()
        assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"A: " + b"x" * 20_000 + b"\r\n\r\n",
        HEAD + b"".join(b"A%d: x\r\n" % number for number in range(101)) + b"\r\n",
        HEAD + b"A" * 20_000,
    ],
)
def test_a_head_that_is_too_large_is_cut_off(serve: Callable[..., Serving], head: bytes) -> None:
    serving = serve(ConnectionLimits(head_seconds=2))
    connection = serving.connect()
    with closed_by_server(connection), contextlib.suppress(ConnectionError):
        connection.sendall(head)
    with serving.connect() as other:
        other.sendall(HEAD + b"Content-Length: 1\r\n\r\na")
        assert answer(other).startswith(b"HTTP/1.1 200")


def test_what_is_not_http_is_refused(serve: Callable[..., Serving]) -> None:
    serving = serve()
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GARBAGE\r\n\r\n",
        HEAD + b"Content-Length: x\r\n\r\n",
    ):
        with serving.connect() as connection:
            connection.sendall(sent)
            assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_at_the_limit_a_new_connection_replaces_the_one_that_waits_longest(serve: Callable[..., Serving]) -> None:
    serving = serve(ConnectionLimits(max_connections=3))
    idle = [serving.connect() for _ in range(3)]
    for connection in idle:
        connection.sendall(b"POST")
    eventually(lambda: serving.metrics.value(m.COLLECT_CONNECTIONS) == 3, "three are connected")
    with serving.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\n\r\na")
        assert answer(connection).startswith(b"HTTP/1.1 200")
    eventually(lambda: serving.cuts("replaced") == 1, "the metrics count it")
    for connection in idle:
        connection.close()


def test_at_its_end_it_answers_what_it_has_and_accepts_nothing_more(serve: Callable[..., Serving]) -> None:
    serving = serve()
    with serving.connect() as connection:
        connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert serving.app.waiting.wait(deadline_seconds())
        serving.server.stop()
        eventually(lambda: not _accepts(serving.port), "it stops listening")
        serving.app.released.set()
        assert answer(connection).startswith(b"HTTP/1.1 200")
    serving.thread.join(deadline_seconds())
    assert not serving.thread.is_alive()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_with_a_certificate_it_speaks_tls(serve: Callable[..., Serving], tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "1", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    serving = serve(tls_cert=str(cert), tls_key=str(key))
    context = ssl.create_default_context(cafile=str(cert))
    context.check_hostname = False
    with context.wrap_socket(serving.connect()) as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\n\r\na")
        assert answer(connection).startswith(b"HTTP/1.1 200")


def test_an_address_or_a_certificate_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken_port = taken.getsockname()[1]
        with pytest.raises(CollectAddressError, match="STITCHLINE_COLLECT_PORT"):
            CollectServer(Echo(), Listening(host="127.0.0.1", port=taken_port), Metrics(), ConnectionLimits())
    for cert in (str(tmp_path / "cert.pem"), str(tmp_path / "missing.pem")):
        with pytest.raises(CollectAddressError, match="STITCHLINE_COLLECT_TLS_CERT"):
            CollectServer(Echo(), Listening(host="127.0.0.1", port=0, tls_cert=cert), Metrics(), ConnectionLimits())
