"""Finds hanging transactions by stable offsets; confirms and aborts them with Kafka's own tool.

1. :func:`stuck_partitions` finds partitions whose last stable offset is below the high watermark and does not move.
2. In these, :func:`check` runs Kafka's ``find-hanging``, which lists the transactions unknown to their coordinator.
3. :func:`abort` aborts them, which writes the marker that the partition lacks.
"""

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]  # public, not re-exported

from pipeline.control.doctor.finding import Finding, fail, ok, warn
from pipeline.kafka.ends import stable_and_ends
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
"""Longer than the transaction of a worker that catches up, so that an offset held by a running worker moves."""
REQUEST_SECONDS: Final = 10.0
OFFSETS_TOPIC: Final = "__consumer_offsets"
"""A hanging transaction in it prevents a group from reading its own committed offsets."""
SHOWN: Final = 3
PARALLEL: Final = 4
RUNBOOK: Final = "deploy/runbooks/hanging-transaction.md"


def stuck_partitions(
    settings: Settings, cluster: ClusterMetadata, seconds: float = POLL_SECONDS
) -> list[tuple[str, int]]:
    """Returns the partitions whose last stable offset was below the high watermark and did not move for ``seconds``.

    Raises:
        KafkaException: The brokers did not answer.
    """
    names = {topic.of(settings.topic_prefix) for topic in ALL} | {OFFSETS_TOPIC}
    places = [(name, number) for name in names & cluster.topics.keys() for number in cluster.topics[name].partitions]
    if not places:
        return []
    probe: StuckOffsets[tuple[str, int]] = StuckOffsets()
    stable, ends = stable_and_ends(settings.kafka(), places, REQUEST_SECONDS)
    suspects = [place for place in places if stable[place] < ends[place]]
    if not suspects:
        return []
    begun = time.monotonic()
    probe.observe(stable, ends, now_seconds=begun)
    time.sleep(seconds)
    again = stable_and_ends(settings.kafka(), suspects, REQUEST_SECONDS)
    stood = probe.observe(*again, now_seconds=begun + seconds)
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
    """Aborts each transaction. Returns a finding for each; after a failure it holds the command to run by hand."""
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
