"""A schema registry on this machine: Apicurio Registry with the Confluent API, schemas in memory."""

from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from pipeline.local.fetch import unpack
from pipeline.local.java import java
from pipeline.local.ports import LOOPBACK, is_listening
from pipeline.local.server import LocalServer

HEAP_MB = 256
API = "/apis/ccompat/v7"
TIMEOUT_SECONDS = 10.0


class LocalRegistry(LocalServer):
    """A real schema registry. Registered schemas are lost when it stops."""

    name = "Apicurio Registry"
    lock_name = "registry.lock"

    @property
    def url(self) -> str:
        """Returns the base URL of the Confluent API for ``schema.registry.url``; empty while it is not running."""
        return _url(self.address) if self.address else ""

    def _prepare(self, home: Path, ports: list[int], paths: list[Path]) -> list[str]:
        folder = unpack(self._files[0], paths[0])
        properties: dict[str, str | int] = {
            "quarkus.http.host": LOOPBACK,
            "quarkus.http.port": ports[0],
            "quarkus.http.access-log.enabled": "false",
            "quarkus.management.host": LOOPBACK,  # by default health and metrics listen on every interface
            "quarkus.management.port": ports[1],
            "stitchline.home": str(home),
        }
        return java(HEAP_MB, ["-jar", str(folder / "quarkus-run.jar")], properties)

    def _answers(self, port: int) -> bool:
        if not is_listening(port):
            return False
        try:
            with urlopen(f"{_url(f'{LOOPBACK}:{port}')}/subjects", timeout=TIMEOUT_SECONDS) as reply:  # noqa: S310
                return bool(reply.status == 200)
        except (OSError, HTTPException):  # the port opens before the application is ready
            return False


def _url(address: str) -> str:
    return f"http://{address}{API}"
