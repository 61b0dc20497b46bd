"""One run of one engine: its workload on the topics, its process on one core, its output compared with the truth."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # public, not re-exported

from connectors.sources.outgoing import Outgoing
from pipeline.kafka.clients import admin
from pipeline.settings import Settings
from tests.bench.deployment import PARTITIONS, Positions, deployment, load_producer, process, produce, worker
from tests.bench.engines.peers import PEERS, Peer, command_of, counts_of, customers_of, environment_of
from tests.bench.outputs import (
    WrongOutputError,
    last_values,
    stitchline_customers,
    stitchline_updates,
    wait_until_right,
)
from tests.bench.process import ProcessUse
from tests.bench.throughput import WARM_UP_SHARE, Figures, measured
from tests.bench.workloads import LIVE, Customer, Workload

COMMIT_SECONDS = 1.0
"""Of the peers, which commit at fixed intervals."""


class Job(NamedTuple):
    """A workload, encoded, with its truth."""

    workload: Workload
    records: Sequence[Outgoing]
    truth: dict[str, Customer]
    """Of the live workload only."""


def run_name(engine: str) -> str:
    """Returns a name of its own for the topics and groups of a run."""
    return f"bench-{engine}-{time.time_ns()}"


def run_stitchline(bootstrap: str, job: Job, workers: int = 1, *, pinned: bool = True) -> Figures:
    """Runs workers: pinned to one core, or on all cores.

    Raises:
        WrongOutputError: The output differs from the truth.
    """
    with tempfile.TemporaryDirectory() as home:
        settings = deployment(bootstrap, run_name("stitchline"), Path(home), job.workload.rules)
        produce(settings, job.records)
        core = min(os.sched_getaffinity(0)) if pinned else None
        with Positions(settings) as positions:
            figures = _with_workers(settings, workers, core, lambda uses: _measured(positions, job, uses))
        _check(settings, job)
    return figures


def _with_workers(
    settings: Settings, workers: int, core: int | None, then: Callable[[list[ProcessUse]], Figures]
) -> Figures:
    running: list[AbstractContextManager[int]] = []
    uses = []
    try:
        for number in range(workers):
            one = worker(settings.model_copy(update={"worker_id": str(number)}), core)
            uses.append(ProcessUse(one.__enter__()))
            running.append(one)
        return then(uses)
    finally:
        for one in running:
            one.__exit__(None, None, None)


def _measured(positions: Positions, job: Job, uses: Sequence[ProcessUse]) -> Figures:
    return measured(positions, len(job.records), len(job.records) // WARM_UP_SHARE, uses)


def _check(settings: Settings, job: Job) -> None:
    if job.workload is LIVE:
        wait_until_right(lambda: stitchline_customers(settings), job.truth)
        return
    booked = sum(update["aggregates"].get("events", {}).get("lifetime", 0) for update in stitchline_updates(settings))
    if booked != len(job.records):
        message = f"{booked} events are booked, of {len(job.records)}"
        raise WrongOutputError(message)


def run_peer(bootstrap: str, job: Job, peer: Peer) -> Figures:
    """Runs a peer on one core, on the same records in one topic.

    Raises:
        WrongOutputError: The output differs from the truth.
    """
    name = run_name(peer.name)
    settings = Settings(bootstrap_servers=bootstrap, topic_prefix=name, application_id=name, partitions=PARTITIONS)
    _send_to_one_topic(settings, job.records)
    with tempfile.TemporaryDirectory() as home, Positions(settings, [f"{name}.events"]) as positions:
        command, environment = command_of(peer), environment_of(bootstrap, name, Path(home), COMMIT_SECONDS)
        with process(command, environment, min(os.sched_getaffinity(0))) as pid:
            figures = _measured(positions, job, [ProcessUse(pid)])
            _check_peer(settings, job, peer)
    return figures


def _send_to_one_topic(settings: Settings, records: Sequence[Outgoing]) -> None:
    names = [f"{settings.topic_prefix}.{suffix}" for suffix in ("events", "profiles", "segments", "leads")]
    # Faust creates its changelogs itself, and its agent crashes for good if it starts before it sees them.
    changelogs = [f"{settings.topic_prefix}-{table}-state-changelog" for table in ("profiles", "seen")]
    client = admin(settings.kafka())
    made = client.create_topics([NewTopic(name, settings.partitions, 1) for name in [*names, *changelogs]])
    for future in made.values():
        future.result()
    producer = load_producer(settings, linger_ms=50, compression="none")  # plain Faust reads no lz4 without extras
    for record in records:
        producer.produce(names[0], record.value, record.key)
        producer.poll(0)
    producer.flush(60)


def _check_peer(settings: Settings, job: Job, peer: Peer) -> None:
    profiles, leads = f"{settings.topic_prefix}.profiles", f"{settings.topic_prefix}.leads"
    if peer.is_complete:
        wait_until_right(lambda: customers_of(last_values(settings, profiles), last_values(settings, leads)), job.truth)
    else:
        sent = Counter(record.key.partition("user_id:")[2] for record in job.records)
        wait_until_right(lambda: counts_of(last_values(settings, profiles)), dict(sent))


ENGINES = ("stitchline", *PEERS)
SLOW_ENGINES, FAST_ENGINES = frozenset({"faust"}), frozenset({"bare"})


def run_engine(bootstrap: str, job: Job, engine: str) -> Figures:
    """Runs one engine on one core."""
    return run_stitchline(bootstrap, job) if engine == "stitchline" else run_peer(bootstrap, job, PEERS[engine])
