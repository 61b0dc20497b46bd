"""Settings of the local broker, with the reason for each group."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.local.ports import LOOPBACK

MEGABYTE = 1 << 20

ALONE: dict[str, str | int] = {
    # One node: no replicas. Few internal partitions start and stop faster.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
}

PROMPT: dict[str, str | int] = {
    # The group detects joining and dead workers at once, so that tests and the demo do not wait.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "group.consumer.min.session.timeout.ms": 1000,
    "group.consumer.min.heartbeat.interval.ms": 300,
    "log.segment.delete.delay.ms": 1000,
    # After kill -9 a broker can register again only after its former session has expired.
    "broker.session.timeout.ms": 4000,
    "broker.heartbeat.interval.ms": 1000,
}
# Not here: `transaction.abort.timed.out.transaction.cleanup.interval.ms`, 10 s by default. The broker's first look for
# timed-out transactions must come after its partitions are online. If it comes earlier (at 1 s always, at the default
# only with the default session of 9 s on a busy machine), the coordinator has CompleteAbort, the partitions never get
# their abort markers, and the transactions hang for ever.

SMALL: dict[str, str | int] = {
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "log.cleaner.dedupe.buffer.size": 16 * MEGABYTE,  # 128 MiB of the heap by default
    "log.index.size.max.bytes": MEGABYTE,
    "log.segment.bytes": 256 * MEGABYTE,
}

DATA: dict[str, str | int] = {
    "auto.create.topics.enable": "false",  # a topic with the wrong number of partitions is worse than an error
    "num.partitions": 4,
    # Retention uses record timestamps: a replay of old purchases would be deleted while it is read.
    "log.retention.ms": -1,
    # Oversized events must reach the pipeline, which puts them into its dead letter queue with the reason.
    "message.max.bytes": 16 * MEGABYTE,
    "replica.fetch.max.bytes": 16 * MEGABYTE,
}

LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def server_properties(log: Path, port: int, controller_port: int, overrides: Mapping[str, str | int]) -> str:
    """Returns the properties file of a combined broker and controller on two loopback ports."""
    where: dict[str, str | int] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(log),
    }
    properties = where | ALONE | PROMPT | SMALL | DATA | dict(overrides)
    return "".join(f"{name}={value}\n" for name, value in properties.items())
