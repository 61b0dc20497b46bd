"""The report of one run: what was measured, as Markdown and as a plot."""

import json
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from tests.bench.hop_floor import HopFloor
from tests.bench.latency import Latency
from tests.bench.plot import Chart, svg
from tests.bench.scale import AtScale
from tests.bench.throughput import Figures

DESCRIPTIONS: Final = {
    "stitchline": "Stitchline: all stages, identity, segments, timers, exactly once",
    "bare": "bare librdkafka loop: counts in a dict, keeps nothing, at least once",
    "faust": "plain Faust, tables on RocksDB, at least once",
    "quix": "Quix Streams, state on RocksDB, exactly once",
}


class Report(msgspec.Struct):
    """Everything that was measured. Parts that were left out are empty."""

    facts: dict[str, str] = {}
    engines: dict[str, list[Figures]] = {}
    """The live workload on each engine, by round."""
    clickstream: list[Figures] = []
    two_workers: list[tuple[Figures, Figures]] = []
    """One worker and two workers, alternating."""
    loop_events_per_second: float = 0.0
    """The stages in memory, without Kafka."""
    slow_buyers_per_cpu_second: float = 0.0
    links_per_cpu_second: float = 0.0
    latencies: list[Latency] = []
    commit_interval_ms: int = 0
    hop_floors: list[HopFloor] = []
    """Before and after the latencies, because the broker shares the machine with other work."""
    scale: list[AtScale] = []
    failures: list[str] = []
    """Parts that gave no figure, and why."""

    def markdown(self) -> str:
        """Returns the report's text."""
        parts = [
            "# Benchmark",
            "\n".join(f"* {name}: {value}" for name, value in self.facts.items()),
            self._throughput(),
            self._latency(),
            self._scale(),
            self._single_figures(),
            "\n".join(f"* NOT MEASURED: {failure}" for failure in self.failures),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def write(self, folder: Path) -> None:
        """Writes report.md, report.svg and report.json into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.md").write_text(self.markdown(), encoding="utf-8")
        (folder / "report.svg").write_text(svg(self.charts()), encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(msgspec.to_builtins(self), indent=2), encoding="utf-8")

    def charts(self) -> list[Chart]:
        """Returns the charts of the plot."""
        rates = [(name, median(run.events_per_second for run in runs)) for name, runs in self.engines.items()]
        waits = [(f"p50 at {wait.share:.0%} load", wait.p50_ms) for wait in self.latencies]
        waits += [(f"p99 at {wait.share:.0%} load", wait.p99_ms) for wait in self.latencies]
        cost = [(f"{at.profiles:,} profiles", at.cpu_us_per_event) for at in self.scale]
        return [
            Chart("Live workload on one core, events per second", rates),
            Chart("Event to visible CRM action, ms", waits),
            Chart("CPU time of an event by profiles in state, µs", cost),
        ]

    def _throughput(self) -> str:
        rows = [_row(DESCRIPTIONS[name], "live", runs) for name, runs in self.engines.items()] + (
            [_row("Stitchline", "clickstream, shipped rules", self.clickstream)] if self.clickstream else []
        )
        if self.two_workers:
            rows.append(_row("Stitchline, one worker on all cores", "live", [one for one, _ in self.two_workers]))
            rows.append(_row("Stitchline, two workers on all cores", "live", [two for _, two in self.two_workers]))
        head = (
            "| engine | workload | events/s, median (all) | CPU s per 100,000 events | peak MB |\n|---|---|---|---|---|"
        )
        text = "Every output was compared with the truth about the events; a run with a difference has no figure."
        return f"## Throughput\n\n{head}\n" + "\n".join(rows) + f"\n\n{text}" if rows else ""

    def _latency(self) -> str:
        if not self.latencies:
            return ""
        interval_ms = self.commit_interval_ms
        rows = [
            f"| {at.share:.0%} ({at.events_per_second:,.0f} events/s) | {at.p50_ms:,.0f} ms | {at.p99_ms:,.0f} ms | "
            f"{at.p50_ms / interval_ms:.1f} | {at.p99_ms / interval_ms:.1f} | {at.probes} |"
            for at in self.latencies
        ]
        rows += [
            f"| floor: {floor.hops} bare transactions, one record at a time | {floor.p50_ms:,.0f} ms | "
            f"{floor.p99_ms:,.0f} ms | {floor.p50_ms / interval_ms:.1f} | {floor.p99_ms / interval_ms:.1f} | "
            f"{floor.records} |"
            for floor in self.hop_floors
        ]
        head = (
            f"| load | p50 | p99 | p50 in commit intervals of {self.commit_interval_ms} ms | p99 in them | probes |\n"
            "|---|---|---|---|---|---|"
        )
        return f"## Event to visible CRM action\n\n{head}\n" + "\n".join(rows)

    def _scale(self) -> str:
        rows = [
            f"| {at.profiles:,} | {at.cpu_us_per_event:,.0f} | {at.restored_rows_per_second:,.0f} | "
            f"{at.bytes_on_disk / at.profiles:,.0f} | {at.bytes_in_changelog / at.profiles:,.0f} | {at.peak_mb:,.0f} |"
            for at in self.scale
        ]
        head = (
            "| profiles in state | CPU µs an event | restored rows/s | bytes a profile on disk | in the changelog | "
            "peak MB |\n|---|---|---|---|---|---|"
        )
        return f"## By number of profiles\n\n{head}\n" + "\n".join(rows) if rows else ""

    def _single_figures(self) -> str:
        figures = {
            "the stages in a loop, in memory, without Kafka, events/s": self.loop_events_per_second,
            "slow buyers (four years, 24 segments, 8 triggers), events per CPU second": self.slow_buyers_per_cpu_second,
            "new links through STITCH, per CPU second": self.links_per_cpu_second,
        }
        rows = [f"| {name} | {value:,.0f} |" for name, value in figures.items() if value]
        return "## Other figures\n\n| what | |\n|---|---|\n" + "\n".join(rows) if rows else ""


def _row(engine: str, workload: str, runs: list[Figures]) -> str:
    rates = ", ".join(f"{run.events_per_second:,.0f}" for run in runs)
    rate = median(run.events_per_second for run in runs)
    cpu = median(run.cpu_seconds_per_100k for run in runs)
    return f"| {engine} | {workload} | {rate:,.0f} ({rates}) | {cpu:.1f} | {max(run.peak_mb for run in runs):,.0f} |"
