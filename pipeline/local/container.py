"""Apache Kafka in a container, if STITCHLINE_TESTCONTAINERS is set and a container engine runs."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from pipeline.local.kafka import LOCK_NAME, answers
from pipeline.local.ports import LOOPBACK, free_ports
from pipeline.local.process import wait_until
from pipeline.local.server import READY_SECONDS, locked_version

CLIENT_PORT = 9092
DEFAULT_HOST = "unix:///var/run/docker.sock"
ENGINE_PORT = 2375
CONNECT_SECONDS = 2.0


def engine_answers() -> bool:
    """Returns whether a container engine accepts connections at ``DOCKER_HOST``, or at Docker's default socket."""
    # Not through the client library, which is a test dependency and leaks a socket if no engine answers.
    host = urlsplit(os.environ.get("DOCKER_HOST", DEFAULT_HOST))
    is_path = host.scheme == "unix"
    with socket.socket(socket.AF_UNIX if is_path else socket.AF_INET) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(host.path if is_path else (host.hostname or LOOPBACK, host.port or ENGINE_PORT))
        except OSError:
            return False
        return True


@contextmanager
def kafka_container() -> Iterator[tuple[str, str]]:
    """Yields bootstrap servers and image of a broker in a container, of the same version as the local Kafka."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - a test dependency

    image, (port,) = f"apache/kafka:{locked_version(LOCK_NAME)}", free_ports(1)
    container = DockerContainer(image).with_bind_ports(CLIENT_PORT, port)
    for name, value in _environment(port).items():
        container = container.with_env(name, value)
    with container:
        wait_until(lambda: answers(port), READY_SECONDS, f"{image} did not answer on port {port}")
        yield f"{LOOPBACK}:{port}", image


def _environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{CLIENT_PORT},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_MESSAGE_MAX_BYTES": str(16 << 20),
        "KAFKA_LOG_RETENTION_MS": "-1",
    }
