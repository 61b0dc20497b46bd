"""Apache Kafka in a container, for those who ask for it and have an engine."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.local.kafka import LOCK, READY_S, answers
from pipeline.local.lockfile import read_lock
from pipeline.local.ports import LOOPBACK, free_ports
from pipeline.local.process import wait_until

CLIENT_PORT = 9092


def engine_answers() -> bool:
    """Whether a container engine is reachable. False, too, where the client library is not installed."""
    try:
        import docker  # type: ignore[import-untyped]  # noqa: PLC0415 - only tests have it, and few need it
    except ModuleNotFoundError:
        return False
    try:
        return bool(docker.from_env().ping())
    except docker.errors.DockerException:
        return False


@contextmanager
def kafka_container() -> Iterator[tuple[str, str]]:
    """Yield bootstrap servers and image of a broker in a container, of the version the local one has."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - see above

    version = next(file.version for file in read_lock(LOCK) if ":kafka_2" in file.coordinate)
    image, (port,) = f"apache/kafka:{version}", free_ports(1)
    container = DockerContainer(image).with_bind_ports(CLIENT_PORT, port)
    for name, value in _environment(port).items():
        container = container.with_env(name, value)
    with container:
        wait_until(lambda: answers(port), READY_S, f"{image} did not answer on port {port}")
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
