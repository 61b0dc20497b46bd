"""The broker of a run: killed and started again on its data, with one listener behind a proxy."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Self

from pipeline.chaos.proxy import Proxy
from pipeline.local.kafka import LocalKafka
from pipeline.local.ports import LOOPBACK, free_ports
from pipeline.local.process import ServerError, wait_until

END_SECONDS = 20.0
PROTOCOLS = "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"


class _ProxiedKafka(LocalKafka):
    """A broker whose second listener advertises the port of a proxy."""

    def __init__(self, data: Path, port: int, behind_port: int, proxy_port: int) -> None:
        super().__init__(data, port=port)
        self._behind_port, self._proxy_port = behind_port, proxy_port

    def _prepare(self, home: Path, ports: list[int], paths: list[Path]) -> list[str]:
        direct, behind = f"PLAINTEXT://{LOOPBACK}:{ports[0]}", f"PROXIED://{LOOPBACK}:{self._behind_port}"
        self._settings = {
            "listeners": f"{direct},{behind},CONTROLLER://{LOOPBACK}:{ports[1]}",
            "advertised.listeners": f"{direct},PROXIED://{LOOPBACK}:{self._proxy_port}",
            "listener.security.protocol.map": PROTOCOLS,
        }
        return super()._prepare(home, ports, paths)


class ChaosBroker:
    """A broker with the same ports and data in all its lives. A context manager."""

    def __init__(self, data: Path) -> None:
        port, behind_port, proxy_port = free_ports(3)
        self._kafka = _ProxiedKafka(data, port, behind_port, proxy_port)
        self.proxy = Proxy(proxy_port, behind_port)
        self.direct = f"{LOOPBACK}:{port}"
        """Bootstrap servers of clients that no network fault reaches."""
        self.proxied = f"{LOOPBACK}:{proxy_port}"
        """Bootstrap servers of the workers."""
        self.description = self._kafka.description

    def __enter__(self) -> Self:
        self._kafka.start()
        self.proxy.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.__exit__()
        self._kafka.stop()

    def kill(self) -> None:
        """Kills the server with -9. Does nothing if it is away."""
        with contextlib.suppress(ServerError):
            for pid in _children(self._kafka.pid):
                os.kill(pid, signal.SIGKILL)
            wait_until(self._kafka.ended, END_SECONDS, "the broker outlived kill -9")
            self._kafka.stop()

    def start(self) -> None:
        """Starts the server on its data and returns when it answers.

        Raises:
            ServerError: it did not start.
        """
        self._kafka.start()


def _children(pid: int) -> list[int]:
    """Returns the ids of a process's children."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
