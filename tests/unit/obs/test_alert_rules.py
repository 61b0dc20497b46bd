"""Prometheus itself runs every alert against the incident that it is for."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.waiting import deadline_seconds

FOLDER = Path(__file__).parents[3] / "deploy/prometheus"
ALERTS = FOLDER / "alerts.yml"
INCIDENTS = sorted((FOLDER / "tests").glob("*.yml"))
GROUPS = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool on this machine (Debian package prometheus): alert rules NOT TESTED"
)


def run(*arguments: str) -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments], capture_output=True, text=True, timeout=deadline_seconds(), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_reads_the_rules() -> None:
    run("check", "rules", str(ALERTS))


@needs_promtool
@pytest.mark.parametrize("path", INCIDENTS, ids=lambda path: path.stem)
def test_alerts_fire_in_their_incidents_and_in_no_other(path: Path) -> None:
    run("test", "rules", str(path))


def test_every_group_has_its_file_of_incidents() -> None:
    assert {f"stitchline-{path.stem}" for path in INCIDENTS} == {group["name"] for group in GROUPS}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["name"])
def test_every_alert_is_expected_in_an_incident_that_has_a_name(group: dict[str, object]) -> None:
    path = FOLDER / "tests" / f"{str(group['name']).removeprefix('stitchline-')}.yml"
    tests = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    assert all(" " in test["name"] for test in tests)
    expected = set(re.findall(r'alertname="(\w+)"', path.read_text(encoding="utf-8")))
    assert expected == {rule["alert"] for rule in group["rules"]}  # type: ignore[attr-defined]
