"""Checks of the brokers: they are reachable and accept the log-in, and the topics exist and are co-partitioned."""

from collections import Counter
from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.control.doctor.finding import Finding, fail, ok, warn
from pipeline.kafka.reach import NoBrokerError, cluster
from pipeline.settings import Settings
from pipeline.topics import ALL


def kafka(settings: Settings) -> tuple[Finding, ClusterMetadata | None]:
    """Checks address, protocol and log-in. Returns None for the cluster if no other check of Kafka is possible."""
    try:
        result = cluster(settings.kafka())
    except NoBrokerError as error:
        detail, _, action = str(error).partition("; ")
        return fail("kafka", detail, action), None
    except KafkaException as error:
        return fail("kafka", error.args[0].str(), "look at the brokers' logs"), None
    brokers = f"{len(result.brokers)} broker{'s' if len(result.brokers) != 1 else ''}"
    login = f", logged in as {settings.sasl_username}" if settings.sasl_mechanism else ""
    return ok("kafka", f"{settings.bootstrap_servers} answers, {brokers}{login}"), result


def topics(settings: Settings, result: ClusterMetadata) -> list[Finding]:
    """Checks that every topic exists, that all have the same number of partitions, and that each has a leader."""
    counts = {name: len(result.topics[name].partitions) for name in _names(settings) if name in result.topics}
    missing = [name for name in _names(settings) if name not in counts]
    if not counts:
        detail = f"none of {len(missing)} with prefix {settings.topic_prefix}"
        return [warn("topics", detail, "workers create them when they start; or run: stitchline topics create")]
    if missing:
        present = warn("topics", f"missing: {', '.join(missing)}", "run: stitchline topics create")
    else:
        present = ok("topics", f"{len(counts)} are there")
    return [present, _co_partitioned(counts), _led(counts, result)]


def _names(settings: Settings) -> list[str]:
    return [topic.of(settings.topic_prefix) for topic in ALL]


def _co_partitioned(counts: Mapping[str, int]) -> Finding:
    usual = Counter(counts.values()).most_common(1)[0][0]
    odd = [f"{name} has {count}" for name, count in sorted(counts.items()) if count != usual]
    if odd:
        action = "all topics need one number of partitions; create the named ones again with that of the others"
        return fail("co-partitioning", f"{usual} partitions each, but {', '.join(odd)}", action)
    return ok("co-partitioning", f"{usual} partitions each")


def _led(counts: Mapping[str, int], result: ClusterMetadata) -> Finding:
    partitions = {
        (name, number): result.topics[name].partitions[number] for name in counts for number in range(counts[name])
    }
    leaderless = [f"{name}/{number}" for (name, number), partition in partitions.items() if partition.leader < 0]
    if leaderless:
        action = "bring back the brokers that hold them; see deploy/runbooks/broker-down.md"
        return fail("partitions", f"{len(leaderless)} without a leader, such as {leaderless[0]}", action)
    return ok("partitions", f"{len(partitions)}, each with a leader")
