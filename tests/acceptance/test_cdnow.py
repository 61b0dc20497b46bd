"""Eighteen months of a real shop: what Stitchline says of 23,570 customers equals a fold over the purchase log.

Through ``simulate``, and through Kafka with two workers that are killed -9 on the way.
"""

import os
import random
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.settings import Settings
from pipeline.topics import EVENTS
from tests.acceptance import cdnow
from tests.acceptance.command import run, running
from tests.acceptance.progress import Progress
from tests.support.fleet import Fleet

PURCHASES, CUSTOMERS = 69_659, 23_570
RULES = Path(__file__).parent / "rules" / "cdnow"
LAST_DAY = "1998-06-30"
KILLS = 2


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    """The purchase log as a file of events."""
    path = tmp_path_factory.mktemp("cdnow") / "purchases.ndjson"
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in cdnow.events()))
    return path


@pytest.fixture(scope="module")
def truth() -> dict[str, cdnow.Expected]:
    return cdnow.expected()


def said_of(profile: dict[str, Any]) -> cdnow.Expected:
    """What an exported profile says, in the words of the fold."""
    purchases, spent = profile["aggregates"]["purchases"], profile["aggregates"]["spent"]
    assert spent["lifetime"].keys() == {"USD"}, profile["anchors"]
    return cdnow.Expected(
        purchases=purchases["lifetime"],
        total_minor=spent["lifetime"]["USD"],
        first_ms=profile["first_touch"]["timestamp_ms"],
        last_ms=profile["last_touch"]["timestamp_ms"],
        purchases_30d=purchases["30d"],
        total_minor_30d=spent["30d"]["USD"],
        purchases_90d=purchases["90d"],
        total_minor_90d=spent["90d"]["USD"],
    )


def assert_no_difference(profiles: Path, truth: dict[str, cdnow.Expected], replay: str) -> None:
    result: dict[str, cdnow.Expected] = {}
    for line in profiles.read_bytes().splitlines():
        profile = msgspec.json.decode(line)
        (anchor,) = profile["anchors"]
        customer = anchor.removeprefix("loyalty_id:")
        assert customer not in result, f"customer {customer} has two profiles; replay: {replay}"
        result[customer] = said_of(profile)
    different = sorted(who for who in truth.keys() | result.keys() if truth.get(who) != result.get(who))
    shown = "".join(
        f"\n  customer {who}: the log says {truth.get(who)}, the profile {result.get(who)}" for who in different[:5]
    )
    assert not different, f"{len(different)} of {len(truth)} customers differ; replay: {replay}{shown}"
    assert len(result) == CUSTOMERS


def test_simulate_knows_every_customer_as_the_log_does(log, truth, tmp_path):
    settings = Settings(rules_dir=RULES, home=tmp_path)
    run(settings, "simulate", log, "--clock", "stream", "--as-of", LAST_DAY, "--out", tmp_path / "out")

    assert_no_difference(tmp_path / "out" / "profiles.ndjson", truth, f"pytest {__file__} -k simulate")


@pytest.mark.kafka
def test_two_workers_killed_twice_know_every_customer_as_the_log_does(kafka, topic_prefix, log, truth, tmp_path):
    seed = int(os.environ.get("STITCHLINE_SEED", "7"))
    chance = random.Random(seed)
    points = sorted(chance.sample(range(PURCHASES // 10, PURCHASES * 7 // 10), KILLS))
    settings = Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        partitions=4,
        session_timeout_ms=3000,
        clock="stream",
        rules_dir=RULES,
        home=tmp_path,
    )
    with Fleet(settings) as fleet, Progress(settings, fleet) as progress:
        fleet.start("a")
        fleet.start("b")
        fleet.until_ready("a", "b")
        with running(settings, "ingest", log):
            for point in points:
                fleet.until(f"{point} consumed", lambda enough=point: progress.consumed(EVENTS["pos"]) >= enough)
                assert not progress.drained(), "killed too late to matter"
                victim = chance.choice("ab")
                fleet.end(victim, signal.SIGKILL)
                fleet.start(victim)
        fleet.until("everything is consumed", progress.drained)
        run(settings, "profile", "export", tmp_path / "profiles.ndjson", "--as-of", LAST_DAY)
        assert [fleet.end(worker_id) for worker_id in "ab"] == [0, 0]

    assert_no_difference(tmp_path / "profiles.ndjson", truth, f"STITCHLINE_SEED={seed} pytest {__file__} -k killed")
