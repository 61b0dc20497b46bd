"""A worker that may open too few files ends with one line that says so."""

import json
from pathlib import Path

import pytest

from pipeline.local.broker import Broker
from pipeline.settings import Settings
from tests.support.fleet import Fleet

pytestmark = pytest.mark.kafka

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
sys.argv = ["stitchline", "worker"]
from pipeline.cli import main
main()
"""
ENDED_S = 120.0


@pytest.mark.parametrize("limit", [40, 110], ids=["at its start", "while its state is opened"])
def test_a_worker_without_descriptors_ends_with_one_line(
    kafka: Broker, topic_prefix: str, tmp_path: Path, limit: int
) -> None:
    settings = Settings(
        bootstrap_servers=kafka.bootstrap_servers,
        topic_prefix=topic_prefix,
        application_id=topic_prefix,
        home=tmp_path,
        partitions=4,
    )
    with Fleet(settings, ("-c", PROGRAM.format(limit=limit))) as fleet:
        fleet.start("a")
        assert fleet.ended("a", ENDED_S) == 1
        *entries, line = fleet.said("a").splitlines()
    assert line.startswith(f"stitchline: out of file descriptors: this process may open {limit} files; raise the limit")
    assert all(json.loads(entry) for entry in entries)
