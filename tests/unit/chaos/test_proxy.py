"""The proxy passes bytes, loses connections, falls silent and goes on."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from pipeline.chaos.proxy import Proxy
from pipeline.local.ports import LOOPBACK, free_ports

TIMEOUT_SECONDS = 20
SILENCE_SECONDS = 0.3


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it receives."""
    with socket.create_server((LOOPBACK, 0)) as server:

        def answer(connection: socket.socket) -> None:
            with connection:
                while data := connection.recv(1024):
                    connection.sendall(data)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: int) -> Iterator[tuple[Proxy, int]]:
    (port,) = free_ports(1)
    with Proxy(port, echo) as running:
        yield running, port


def test_bytes_pass_in_both_directions(proxy):
    with socket.create_connection((LOOPBACK, proxy[1]), TIMEOUT_SECONDS) as client:
        client.sendall(b"ping")
        assert client.recv(16) == b"ping"


def test_a_cut_ends_connections_and_new_ones_are_accepted(proxy):
    running, port = proxy
    with socket.create_connection((LOOPBACK, port), TIMEOUT_SECONDS) as client:
        client.sendall(b"ping")
        assert client.recv(16) == b"ping"
        running.cut()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(16) == b""
    test_bytes_pass_in_both_directions(proxy)


def test_what_waits_in_a_silence_arrives_after_it(proxy):
    running, port = proxy
    with socket.create_connection((LOOPBACK, port), TIMEOUT_SECONDS) as client:
        client.sendall(b"ping")
        assert client.recv(16) == b"ping"
        running.silence()
        client.sendall(b"late")
        client.settimeout(SILENCE_SECONDS)
        with pytest.raises(TimeoutError):
            client.recv(16)
        client.settimeout(TIMEOUT_SECONDS)
        running.resume()
        assert client.recv(16) == b"late"
