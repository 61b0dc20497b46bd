"""Seeded faults under load with two workers: the result is that of ``simulate``.

Short here. By hand, and for longer: ``STITCHLINE_SEEDS=20 pytest tests/faults/test_chaos.py``, or ``stitchline chaos``.
"""

import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from tests.support import children
from tests.support.waiting import deadline_seconds

pytestmark = pytest.mark.kafka

FIRST_SEED = int(os.environ.get("STITCHLINE_FIRST_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + int(os.environ.get("STITCHLINE_SEEDS", "1")))
IDLE_SECONDS = 300.0
SHORT = (
    "--events=1200", "--for=8s", "--session-timeout-ms=2000", "--away=1", "--kills=1", "--zombies=0", "--resizes=0",
    "--broker-restarts=1", "--disk-full=1", "--others=1",
)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_what_workers_make_of_the_day_under_faults_is_what_simulate_makes_of_it(seed: int) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STITCHLINE_")}
    command = [sys.executable, "-m", "pipeline.cli", "chaos", f"--seed={seed}", *SHORT, "--json"]
    process = children.start(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    output, errors = process.communicate(timeout=deadline_seconds(IDLE_SECONDS))

    assert process.returncode == 0, f"{errors[-3000:]}\n{output[-6000:]}"
    report: dict[str, Any] = msgspec.json.decode(output)
    assert {each["name"]: each["differences"] for each in report["comparisons"]} == {
        each["name"]: 0 for each in report["comparisons"]
    }
    compared = {each["name"]: each["compared"] for each in report["comparisons"]}
    assert compared["touches and events"] == report["events"] == 1200
    assert compared["quarantine and foreign records"] > 0
    assert compared["copied databases, rolled forward, and changelog"] > 0
    assert sum(each["faults"] for each in report["recoveries"]) == 11
