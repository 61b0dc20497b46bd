"""Apache Kafka on this machine: one KRaft node, broker and controller in one process, without installation."""

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException

from pipeline.kafka.clients import admin
from pipeline.local.java import class_path, java
from pipeline.local.kafka_config import LOGGING, server_properties
from pipeline.local.ports import LOOPBACK, is_listening
from pipeline.local.process import ServerError
from pipeline.local.server import LocalServer

HEAP_MB = 512
FORMAT_SECONDS = 120.0
LOCK_NAME = "kafka.lock"


class LocalKafka(LocalServer):
    """A real broker. ``settings`` override broker properties by name."""

    name = "Apache Kafka"
    lock_name = LOCK_NAME

    def __init__(
        self,
        data: Path | None = None,
        *,
        detached: bool = False,
        port: int = 0,
        settings: Mapping[str, str | int] | None = None,
    ) -> None:
        super().__init__(data, detached=detached, port=port)
        self._settings = dict(settings or {})

    @property
    def bootstrap_servers(self) -> str:
        """Returns ``host:port`` for clients; empty while the broker is not running."""
        return self.address

    @property
    def description(self) -> str:
        """Returns name and version for reports."""
        return f"{self.name} {self.version} (KRaft, local)"

    def _prepare(self, home: Path, ports: list[int], paths: list[Path]) -> list[str]:
        config = home / "server.properties"
        config.write_text(server_properties(home / "log", ports[0], ports[1], self._settings), encoding="utf-8")
        logging = home / "log4j2.properties"
        logging.write_text(LOGGING, encoding="utf-8")
        properties: dict[str, str | int] = {"log4j2.configurationFile": str(logging), "stitchline.home": str(home)}
        if not (home / "log" / "meta.properties").exists():
            _format_storage(java(HEAP_MB, [*class_path(paths), "kafka.tools.StorageTool"], properties), config)
        return java(HEAP_MB, [*class_path(paths), "kafka.Kafka", str(config)], properties)

    def _answers(self, port: int) -> bool:
        return answers(port)


def answers(port: int) -> bool:
    """Returns whether the broker on that loopback port serves its metadata."""
    if not is_listening(port):  # checked first: librdkafka logs every refused connection to standard error
        return False
    try:
        return bool(admin({"bootstrap.servers": f"{LOOPBACK}:{port}"}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _format_storage(tool: list[str], config: Path) -> None:
    """Formats a new log folder with a cluster id. Never called for a formatted folder, whose data would be lost."""
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    option = f"--cluster-id={cluster}"  # one argument: one id in 64 begins with a dash and would be parsed as an option
    command = [*tool, "format", option, "--config", str(config)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        message = f"Apache Kafka did not format the storage that {config} names within {FORMAT_SECONDS:.0f} s"
        raise ServerError(message) from error
    if done.returncode:
        message = f"Apache Kafka could not format the storage that {config} names:\n{done.stdout}{done.stderr}"
        raise ServerError(message)
