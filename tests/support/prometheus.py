"""A Prometheus of a test, on the loopback interface, and the queries that Grafana would send to it."""

import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pipeline.local.ports import LOOPBACK, free_ports
from tests.support import children
from tests.support.waiting import eventually

PROGRAM = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    PROGRAM is None, reason="no prometheus on this machine (Debian package prometheus): dashboards NOT TESTED"
)
SCRAPE_SECONDS = 1
RATE_INTERVAL_SECONDS = 4 * SCRAPE_SECONDS
"""Grafana's ``$__rate_interval`` at the smallest step: the larger of step + scrape interval, and four of the latter."""
VARIABLES = {"$__rate_interval": f"{RATE_INTERVAL_SECONDS}s", "$instance": ".*"}
"""What Grafana puts in their place while the dashboard shows all workers."""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=30)
        self._began = time.time()

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            return self._http.get("/-/ready").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def values(self, query: str) -> list[list[float]]:
        """The values of each series of a query since the start of Prometheus; without those that are not a number."""
        for name, value in VARIABLES.items():
            query = query.replace(name, value)
        assert "$" not in query, query
        result = self._answer(
            "/api/v1/query_range", query=query, start=self._began, end=time.time(), step=SCRAPE_SECONDS
        )
        series = [[float(value) for _, value in one["values"]] for one in result["result"]]
        finite = [[value for value in one if not math.isnan(value)] for one in series]
        return [one for one in finite if one]

    def label_values(self, label: str, series: str) -> list[str]:
        """The values of a variable of a dashboard."""
        result: list[str] = self._answer(f"/api/v1/label/{label}/values", **{"match[]": series})
        return result

    def targets(self) -> dict[str, str]:
        """The job of each address that has answered a scrape, whether it still does or not."""
        result = self._answer("/api/v1/query", query="max by (instance, job) (max_over_time(up[1h])) == 1")
        return {one["metric"]["instance"]: one["metric"]["job"] for one in result["result"]}

    def close(self) -> None:
        """Close the connections to it."""
        self._http.close()

    def _answer(self, path: str, **parameters: Any) -> Any:
        answer = self._http.get(path, params=parameters)
        assert answer.status_code == httpx2.codes.OK, (parameters, answer.text)
        return answer.json()["data"]


@contextmanager
def prometheus(folder: Path, jobs: Mapping[str, list[str]]) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the addresses of each job, with its data and its log in ``folder``."""
    configuration = {
        "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": addresses}]} for job, addresses in jobs.items()
        ],
    }
    folder.mkdir()
    (folder / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")  # YAML includes JSON
    (port,) = free_ports(1)
    command = [
        PROGRAM or "", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}", "--log.level=warn",
    ]  # fmt: skip
    log = folder / "prometheus.log"
    with log.open("wb") as output, children.running(command, stdout=output, stderr=output) as process:
        running = Prometheus(f"http://{LOOPBACK}:{port}")
        try:
            eventually(lambda: process.poll() is None and running.is_ready(), "Prometheus is ready", log.read_text)
            yield running
        finally:
            running.close()
