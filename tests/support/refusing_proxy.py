"""A proxy before a real broker that refuses a producer's first batch for a topic, as a broker does that becomes leader.

It forwards everything else. The refusal reaches the client once its next batch is under way, or after
``REFUSAL_SECONDS`` if the client sends none before the answer. Protocol: Apache Kafka, Produce request 9 to 12.
"""

import contextlib
import socket
import struct
import threading
from typing import Self

from pipeline.local.ports import LOOPBACK, free_ports

PRODUCE, NOT_LEADER = 0, 6
REFUSAL_SECONDS = 0.5
_HEAD = struct.Struct(">hhi")


class RefusingProxy:
    """A context manager. ``address`` is the bootstrap server of the producer to test."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        host, port = bootstrap_servers.rsplit(":", 1)
        self._broker, self._topic = (host, int(port)), topic.encode()
        (self._port,) = free_ports(1)
        self.address = f"{LOOPBACK}:{self._port}"
        self.refused = 0
        self._answer: bytes | None = None
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._server = socket.create_server((LOOPBACK, self._port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:  # closed
                return
            broker = socket.create_connection(self._broker)
            self._sockets += [client, broker]
            threading.Thread(target=self._requests, args=(client, broker), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, broker), daemon=True).start()

    def _requests(self, client: socket.socket, broker: socket.socket) -> None:
        while (frame := _frame(client)) is not None:
            kind, version, number = _HEAD.unpack_from(frame)
            if kind == PRODUCE and self._topic in frame:
                if not self.refused:
                    self.refused += 1
                    self._answer = _refusal(frame, version, number, self._topic)
                    threading.Timer(REFUSAL_SECONDS, self._refuse, (client,)).start()
                    continue
                self._refuse(client)
            _send(broker, frame)

    def _answers(self, client: socket.socket, broker: socket.socket) -> None:
        """Forwards answers. Where they name the broker's address, they name the proxy's."""
        theirs, ours = (LOOPBACK.encode() + struct.pack(">i", port) for port in (self._broker[1], self._port))
        while (frame := _frame(broker)) is not None:
            with self._lock:
                _send(client, frame.replace(theirs, ours))

    def _refuse(self, client: socket.socket) -> None:
        with self._lock:
            answer, self._answer = self._answer, None
            if answer is not None:
                _send(client, answer)


def _frame(source: socket.socket) -> bytes | None:
    """Returns the next message without its length, or None at the end of the connection."""
    try:
        head = source.recv(4, socket.MSG_WAITALL)
        return source.recv(struct.unpack(">i", head)[0], socket.MSG_WAITALL) if len(head) == 4 else None
    except OSError:
        return None


def _send(target: socket.socket, frame: bytes) -> None:
    with contextlib.suppress(OSError):  # the connection has ended
        target.sendall(struct.pack(">i", len(frame)) + frame)


def _refusal(frame: bytes, version: int, number: int, topic: bytes) -> bytes:
    """Returns the answer to a Produce request of one partition: NOT_LEADER_OR_FOLLOWER, nothing written."""
    assert 9 <= version <= 12, f"Produce {version} has another format"
    name = bytes([len(topic) + 1]) + topic
    at = frame.index(name) + len(name)
    assert frame[at] == 2, "librdkafka sends one partition a request"
    (partition,) = struct.unpack_from(">i", frame, at + 1)
    of_partition = struct.pack(">ihqqqBBB", partition, NOT_LEADER, -1, -1, -1, 1, 0, 0)
    return struct.pack(">iB", number, 0) + b"\x02" + name + b"\x02" + of_partition + b"\x00" + struct.pack(">iB", 0, 0)
