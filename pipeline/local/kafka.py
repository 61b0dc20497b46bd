"""Apache Kafka on this machine: one KRaft node, broker and controller in one process, nothing installed."""

import subprocess
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.local.fetch import fetch
from pipeline.local.java import class_path, java
from pipeline.local.kafka_config import LOGGING, server_properties
from pipeline.local.lockfile import HERE, read_lock
from pipeline.local.ports import LOOPBACK, free_ports, is_listening
from pipeline.local.process import ServerError, ServerProcess

NAME = "Apache Kafka"
HEAP_MB = 512
READY_S = 60.0
FORMAT_S = 60.0
ATTEMPTS = 3
LOCK = HERE / "kafka.lock"


class LocalKafka:
    """A real broker for the demo, the tests and the benchmarks.

    Guarantees: free loopback ports only; every file it writes is under one folder, which is removed on stop unless the
    caller gave it; at most 512 MB of heap; no process left after ``stop`` or after this process dies in any way
    (unless ``detached``). ``settings`` override broker properties by name.
    """

    def __init__(
        self, data: Path | None = None, *, detached: bool = False, settings: Mapping[str, str | int] | None = None
    ) -> None:
        self._given = data
        self._detached = detached
        self._settings = dict(settings or {})
        self._process: ServerProcess | None = None
        self.bootstrap_servers = ""
        self.version = next(file.version for file in read_lock(LOCK) if ":kafka_2" in file.coordinate)

    @property
    def description(self) -> str:
        """What a test report says it ran on."""
        return f"{NAME} {self.version} (KRaft, local)"

    @property
    def pid(self) -> int:
        """The process to look at: the supervisor, or the server itself when detached."""
        if self._process is None:
            message = f"{NAME} is not running: call start() first"
            raise ServerError(message)
        return self._process.pid

    def start(self) -> Self:
        """Fetch what is missing, format the storage, start, and return when the broker answers.

        Raises:
            LockMismatchError: a jar is not the one we locked.
            ServerError: Kafka did not start; the message ends with its log.
        """
        jars = fetch(f"{NAME} {self.version}", read_lock(LOCK))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start_on(free_ports(2), jars)
            except ServerError as error:
                if attempt == ATTEMPTS or "Address already in use" not in str(error):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """End the broker and remove a data folder of our own. Does nothing where none runs."""
        if self._process is not None:
            self._process.stop()
            self._process = None
            self.bootstrap_servers = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_on(self, ports: list[int], jars: list[Path]) -> None:
        home = self._given or Path(tempfile.mkdtemp(prefix="stitchline-kafka-"))
        home.mkdir(parents=True, exist_ok=True)
        config = home / "server.properties"
        config.write_text(server_properties(home / "log", ports[0], ports[1], self._settings), encoding="utf-8")
        (home / "log4j2.properties").write_text(LOGGING, encoding="utf-8")
        kafka = [*class_path(jars), "kafka.Kafka", str(config)]
        _format_storage(home, config, jars)
        command = java(HEAP_MB, kafka, {"log4j2.configurationFile": str(home / "log4j2.properties")})
        remove = None if self._given else home
        self._process = ServerProcess(NAME, command, home / "server.log", remove=remove, detached=self._detached)
        self._process.wait_ready(lambda: answers(ports[0]), READY_S)
        self.bootstrap_servers = f"{LOOPBACK}:{ports[0]}"


def answers(port: int) -> bool:
    """Whether the broker on that port tells a client about itself."""
    if not is_listening(port):  # asked first: librdkafka complains on standard error about each refused connection
        return False
    try:
        return bool(AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}"}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _format_storage(home: Path, config: Path, jars: list[Path]) -> None:
    """Give the log folder a cluster id; a folder that has one keeps it, with everything in it."""
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "--cluster-id", cluster, "--config", str(config)]
    if (home / "log" / "meta.properties").exists():
        return
    logging = {"log4j2.configurationFile": str(home / "log4j2.properties")}
    done = subprocess.run(  # noqa: S603
        java(HEAP_MB, [*class_path(jars), *tool], logging),
        capture_output=True,
        text=True,
        timeout=FORMAT_S,
        check=False,
    )
    if done.returncode:
        message = f"{NAME} could not format its storage under {home}:\n{done.stdout}{done.stderr}"
        raise ServerError(message)
