"""A real Prometheus scrapes a demo: every query of every panel has data.

Grafana itself does not run here. Its variables are replaced as it would replace them.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from pipeline.local.ports import LOOPBACK, free_ports, is_free
from tests.support import children
from tests.support.prometheus import Prometheus, needs_prometheus, prometheus
from tests.support.waiting import deadline_seconds, eventually

pytestmark = needs_prometheus
DASHBOARDS = Path(__file__).parents[2] / "deploy/grafana/dashboards"
STITCHLINE = (sys.executable, "-m", "pipeline.cli")
DEMO = (*STITCHLINE, "demo", "--people", "200", "--events", "4000", "--seconds", "15", "--serve")
WORKERS = min(2, len(os.sched_getaffinity(0)))
ROUTING = """
reps: [{name: ann}, {name: bob}]
teams: [{name: sales, reps: [ann, bob]}]
routes: [{name: hot, when: score >= 50, rep: ann}]
catch_all: sales
"""
"""The default rules have no route, so that a panel of routes would have nothing to show."""
REFRESH_MS = 2_000
"""Timers fire within the seconds of the demo. The default is a day."""
PROCESSES = WORKERS + 2
"""Workers, collector, read side: each has its pages on the port after the one before it."""
NOT_IN_THE_DEMO = {
    "stitchline_crm_outcomes_total": "no CRM sink runs",
    "stitchline_crm_calls_total": "no CRM sink runs",
    "stitchline_crm_paused_seconds": "no CRM sink runs",
    "stitchline_crm_open_actions": "no CRM sink runs",
    "stitchline_crm_ledger_rows": "no CRM sink runs",
    "stitchline_crm_synced_total": "no CRM sink runs",
    "stitchline_crm_sync_open_profiles": "no CRM sink runs",
    "stitchline_crm_changes_total": "no CRM reader runs",
    "stitchline_crm_pulled_total": "no CRM reader runs",
    "stitchline_crm_seen_objects": "no CRM reader runs",
    "stitchline_crm_gaps_total": "no CRM reader runs",
}
"""Series of processes that the demo does not run. Exactly the panels that query them have no data."""


class Panel(NamedTuple):
    """A query of a panel."""

    dashboard: str
    title: str
    query: str

    @property
    def is_in_the_demo(self) -> bool:
        return not NOT_IN_THE_DEMO.keys() & set(re.findall(r"\w+", self.query))


def panels() -> Iterator[Panel]:
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for shown in [panel, *panel.get("panels", [])]:
                yield from (Panel(path.name, shown["title"], target["expr"]) for target in shown.get("targets", []))


def first_of_free_ports(count: int) -> int:
    def found() -> int | None:
        (first,) = free_ports(1)
        following = range(first, first + count)
        return first if following[-1] < 2**16 and all(map(is_free, following)) else None

    return eventually(found, f"{count} ports in a row are free")


class Demo:
    """A demo whose day is over, and which goes on serving its result, scraped by Prometheus from its start."""

    def __init__(self, folder: Path, prometheus: Prometheus, url: str) -> None:
        self.prometheus, self._url = prometheus, url
        environment = {**demo_environment(folder), "STITCHLINE_HOME": str(folder / "home/demo")}
        added = subprocess.run(
            [*STITCHLINE, "serve", "keys", "add", "panels"], env=environment, capture_output=True, text=True,
            timeout=deadline_seconds(), check=False,
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        self._key = added.stdout.strip()

    def look(self) -> None:
        """A request that the API answers, and one that it refuses."""
        for headers, status in (({"authorization": f"Bearer {self._key}"}, 200), ({}, 401)):
            assert httpx2.get(f"{self._url}v1/overview", headers=headers, timeout=30).status_code == status


def demo_environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STITCHLINE_")}
    return {**kept, "STITCHLINE_HOME": str(folder / "home")}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("panels")
    first = first_of_free_ports(PROCESSES)
    workers, (collector, read_side) = range(first, first + WORKERS), (first + WORKERS, first + WORKERS + 1)
    jobs = {"stitchline": workers, "stitchline-collect": (collector,), "stitchline-serve": (read_side,)}
    addresses = {job: [f"{LOOPBACK}:{port}" for port in ports] for job, ports in jobs.items()}
    rules = folder / "rules"
    rules.mkdir()
    (rules / "routing.yaml").write_text(ROUTING, encoding="utf-8")
    environment = {
        **demo_environment(folder), "STITCHLINE_HTTP_PORT": str(first), "STITCHLINE_RULES_DIR": str(rules),
        "STITCHLINE_REFRESH_INTERVAL_MS": str(REFRESH_MS),
    }  # fmt: skip
    with ExitStack() as running:
        scraping = running.enter_context(prometheus(folder / "prometheus", addresses))
        process = running.enter_context(
            children.running(DEMO, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        running.callback(end_in_good_order, process)
        yield Demo(folder, scraping, served_at(process))


def served_at(process: "subprocess.Popen[str]") -> str:
    """The console's URL, once the day is over and the console is up."""
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if "Stop with ctrl-c" in line:
            return re.search(rf"http://{LOOPBACK}:\d+/", output)[0]  # type: ignore[index]
    pytest.fail(output)


def end_in_good_order(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(deadline_seconds())


def test_every_panel_has_data_but_those_of_processes_that_the_demo_does_not_run(demo: Demo) -> None:
    wanted = {panel for panel in panels() if panel.is_in_the_demo}
    missing = set(wanted)

    def all_have_data() -> bool:
        demo.look()
        missing.difference_update({panel for panel in missing if demo.prometheus.values(panel.query)})
        return not missing

    eventually(all_have_data, "every panel has data", lambda: "\n".join(map(str, sorted(missing))))

    others = set(panels()) - wanted
    assert {name for panel in others for name in re.findall(r"\w+", panel.query)} >= NOT_IN_THE_DEMO.keys()
    assert not {panel for panel in others if demo.prometheus.values(panel.query)}


def test_every_process_of_the_demo_is_scraped_and_only_workers_are_counted_as_workers(demo: Demo) -> None:
    assert sorted(demo.prometheus.targets().values()) == [
        *["stitchline"] * WORKERS, "stitchline-collect", "stitchline-serve",
    ]  # fmt: skip
    assert len(demo.prometheus.label_values("instance", "stitchline_worker_info")) == WORKERS
    (ready,) = {panel.query for panel in panels() if panel.title == "Workers ready"}
    (counts,) = demo.prometheus.values(ready)
    assert max(counts) == WORKERS
