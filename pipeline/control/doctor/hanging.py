"""Transactions that nothing will end: found by their stable offsets, confirmed and aborted by Kafka's admin.

1. Partitions whose last stable offset is below the high watermark and does not move for a while are suspect.
2. Of these, Kafka's own ``find-hanging`` names the transactions that their coordinator does not know of.
3. Aborting writes the marker that the partition lacks.
"""

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import ClusterMetadata, OffsetSpec  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.control.doctor.finding import Finding, fail, ok, warn
from pipeline.kafka.clients import admin
from pipeline.kafka.stable_offset import StuckOffsets
from pipeline.local.kafka_transactions import (
    HangingTransaction,
    TransactionsTool,
    TransactionsToolError,
    abort_arguments,
    shell_command,
)  # fmt: skip
from pipeline.settings import Settings
from pipeline.topics import ALL

POLL_SECONDS: Final = 3.0
"""Longer than a worker's transaction while it catches up: an offset that a running worker holds moves within it."""
REQUEST_SECONDS: Final = 10.0
OFFSETS_TOPIC: Final = "__consumer_offsets"
"""A transaction that hangs there keeps a group from learning its own position."""
SHOWN: Final = 3
PARALLEL: Final = 4
RUNBOOK: Final = "deploy/runbooks/hanging-transaction.md"


def stuck_partitions(
    settings: Settings, cluster: ClusterMetadata, seconds: float = POLL_SECONDS
) -> list[tuple[str, int]]:
    """Returns the partitions whose last stable offset stood below the high watermark for ``seconds``.

    Raises:
        KafkaException: The brokers did not answer.
    """
    names = {topic.of(settings.topic_prefix) for topic in ALL} | {OFFSETS_TOPIC}
    places = [(name, number) for name in names & cluster.topics.keys() for number in cluster.topics[name].partitions]
    if not places:
        return []
    probe: StuckOffsets[tuple[str, int]] = StuckOffsets()
    stable, ends = _offsets(settings, places)
    suspects = [place for place in places if stable[place] < ends[place]]
    if not suspects:
        return []
    begun = time.monotonic()
    probe.observe(stable, ends, now_seconds=begun)
    time.sleep(seconds)
    stood = probe.observe(*_offsets(settings, suspects), now_seconds=begun + seconds)
    return sorted(place for place in suspects if stood[place] >= seconds)


def check(settings: Settings, cluster: ClusterMetadata) -> tuple[Finding, list[HangingTransaction]]:
    """Checks for hanging transactions. Returns them as well, for :func:`abort`."""
    name = "transactions"
    try:
        stuck = stuck_partitions(settings, cluster)
    except KafkaException as error:
        return warn(name, f"offsets could not be read ({error.args[0].str()})", "run stitchline doctor again"), []
    if not stuck:
        return ok(name, "none stands open"), []
    where = ", ".join(f"{topic}/{number}" for topic, number in stuck[:SHOWN]) + (", …" if len(stuck) > SHOWN else "")
    topics = sorted({topic for topic, _ in stuck})
    try:
        result = TransactionsTool(settings.kafka()).find_hanging(topics)
    except TransactionsToolError as error:
        servers = settings.bootstrap_servers
        command = shell_command(servers, ["find-hanging", "--topic", topics[0], "--max-transaction-timeout", "1"])
        return warn(name, f"open in {len(stuck)} partitions ({where}); {error}", f"run: {command}; see {RUNBOOK}"), []
    if not result:
        action = "wait: its coordinator knows it and ends it after its timeout; a producer may have been killed"
        return warn(name, f"open in {len(stuck)} partitions ({where}), not hanging", action), []
    action = f"run: stitchline doctor --abort-hanging; see {RUNBOOK}"
    return fail(name, f"{len(result)} hang: nothing behind them is read ({where})", action), result


def abort(settings: Settings, hanging: Collection[HangingTransaction]) -> list[Finding]:
    """Aborts each. Returns a finding for each, with the command to run by hand where it failed."""
    tool = TransactionsTool(settings.kafka())

    def one(transaction: HangingTransaction) -> Finding:
        place = f"{transaction.topic}/{transaction.partition} from offset {transaction.start_offset}"
        try:
            tool.abort(transaction)
        except TransactionsToolError as error:
            command = shell_command(settings.bootstrap_servers, abort_arguments(transaction))
            return fail("abort", f"{place}: {error}", f"run: {command}")
        return ok("abort", f"{place} aborted")

    with ThreadPoolExecutor(PARALLEL) as pool:  # each is a Java program that takes a second to start
        return list(pool.map(one, hanging))


def _offsets(
    settings: Settings, places: Collection[tuple[str, int]]
) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]:
    """Last stable offsets, then high watermarks: in this order no transaction looks open that is not."""
    client = admin(settings.kafka())

    def ask(level: IsolationLevel) -> dict[tuple[str, int], int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        requested = {TopicPartition(*place): latest for place in places}
        pending = client.list_offsets(requested, isolation_level=level, request_timeout=REQUEST_SECONDS)
        return {(at.topic, at.partition): int(answer.result().offset) for at, answer in pending.items()}

    return ask(IsolationLevel.READ_COMMITTED), ask(IsolationLevel.READ_UNCOMMITTED)
