"""``make bench``: one report about Stitchline and its peers on this machine.

    python -m tests.bench [--out bench-report] [--parts engines,latency,...] [--events 60000] [--rounds 2]

Every worker that is compared is pinned to one core; the broker has the others. The first third of the events of a run
is warm-up: customers and links are new, and rows are read for the first time.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from pipeline.local.broker import broker
from pipeline.settings import Settings
from tests.bench import hop_floor, latency, scale, slow_buyers, stitch
from tests.bench.core import encoded, in_a_loop
from tests.bench.machine import facts, load
from tests.bench.report import Report
from tests.bench.runs import ENGINES, FAST_ENGINES, SLOW_ENGINES, Job, run_engine, run_name, run_stitchline
from tests.bench.throughput import WARM_UP_SHARE
from tests.bench.workloads import CLICKSTREAM, LIVE, Workload, truth_of

SLOW_SHARE, FAST_SHARE = 0.25, 5
"""Slow engines get a quarter of the events, so that a round stays short; fast ones five times as many, so that it is
long enough to be measured."""
EVENTS_PER_USER: Final = 8


class Bench:
    """Measures the parts of a report, each on its own: a part that fails is reported as not measured."""

    def __init__(self, bootstrap: str, options: argparse.Namespace, report: Report) -> None:
        self._bootstrap, self._options, self._report = bootstrap, options, report

    def run(self) -> None:
        """Measures every part that was asked for, in the order of ``PARTS``. Writes the report after each."""
        for name, part in PARTS.items():
            if name in self._options.parts:
                say(f"{name} (load {load()})")
                part(self)
                self._report.facts["load at the end"] = load()
                self._report.write(self._options.out)

    def engines(self) -> None:
        """Measures the engines, alternating, on the live workload."""
        shares = {
            engine: SLOW_SHARE if engine in SLOW_ENGINES else FAST_SHARE if engine in FAST_ENGINES else 1
            for engine in self._options.engines
        }
        jobs = {share: self._job(LIVE, share) for share in set(shares.values())}
        for _ in range(self._options.rounds):
            for engine, share in shares.items():
                self._try(engine, partial(self._engine, engine, jobs[share]))

    def _engine(self, engine: str, job: Job) -> None:
        figures = run_engine(self._bootstrap, job, engine)
        self._report.engines.setdefault(engine, []).append(figures)
        cpu_seconds = figures.cpu_seconds_per_100k
        say(f"  {engine}: {figures.events_per_second:,.0f} events/s, {cpu_seconds:.1f} CPU s per 100,000 events")

    def clickstream(self) -> None:
        """Measures Stitchline on log-ins and merges under the shipped rules."""
        job = self._job(CLICKSTREAM)
        self._try("clickstream", lambda: self._report.clickstream.append(run_stitchline(self._bootstrap, job)))

    def workers(self) -> None:
        """Measures one and two workers, alternating."""
        job = self._job(LIVE)

        def both() -> None:
            one, two = (run_stitchline(self._bootstrap, job, workers, pinned=False) for workers in (1, 2))
            self._report.two_workers.append((one, two))

        self._try("two workers", both)

    def latency(self) -> None:
        """Measures event to visible action at 50 % and 80 % load, and the floor of the broker before and after."""

        def measured() -> None:
            self._hop_floor()
            with tempfile.TemporaryDirectory() as home:
                options = self._options
                result = latency.measure(
                    self._bootstrap, Path(home), "default", options.events, options.events // EVENTS_PER_USER,
                    options.seconds, options.max_rate, run_name("latency"),
                )  # fmt: skip
            self._report.latencies = result.latencies
            self._report.commit_interval_ms = Settings().commit_interval_ms
            self._hop_floor()

        self._try("latency", measured)

    def _hop_floor(self) -> None:
        floor = hop_floor.measure(self._bootstrap, run_name("hops"), self._options.floor_seconds)
        self._report.hop_floors.append(floor)
        say(f"  floor of {floor.hops} hops: p50 {floor.p50_ms:,.0f} ms, p99 {floor.p99_ms:,.0f} ms")

    def scale(self) -> None:
        """Measures restores and the cost of an event by number of profiles."""

        def measured() -> None:
            with tempfile.TemporaryDirectory() as home:
                made = scale.templates(self._bootstrap, Path(home), run_name("templates"), LIVE.rules)
            core = min(os.sched_getaffinity(0))
            for profiles in self._options.profiles:
                name, number = run_name("scale"), self._options.scale_events
                result = scale.at_scale(self._bootstrap, made, name, profiles, number, core, LIVE.rules)
                self._report.scale.append(result)
                say(f"  {result}")

        self._try("scale", measured)

    def loop(self) -> None:
        """Measures the stages without Kafka."""
        job = self._job(LIVE)
        records = list(job.records)
        self._report.loop_events_per_second = in_a_loop(records, len(records) // WARM_UP_SHARE, LIVE.rules)

    def slow_buyers(self) -> None:
        """Measures customers with a few visits a year."""
        events = slow_buyers.history(self._options.slow_buyers, years=4)
        seconds, _ = slow_buyers.run(events, slow_buyers.END_MS)
        self._report.slow_buyers_per_cpu_second = len(events) / seconds

    def links(self) -> None:
        """Measures new links through STITCH."""

        def measured() -> None:
            result = stitch.compare(self._bootstrap, self._options.link_customers)
            self._report.links_per_cpu_second = 1e6 / result.worker.cpu_us

        self._try("links", measured)

    def _job(self, workload: Workload, share: float = 1) -> Job:
        number = int(self._options.events * share)
        documents = list(workload.documents(number, max(1, number // EVENTS_PER_USER)))
        truth = truth_of(iter(documents)) if workload is LIVE else {}
        return Job(workload, encoded(documents, workload.rules), truth)

    def _try(self, name: str, part: Callable[[], None]) -> None:
        try:
            part()
        except Exception as error:  # noqa: BLE001 - the other parts of the report are still of use
            self._report.failures.append(f"{name}: {type(error).__name__}: {error}")
            say(f"  NOT MEASURED: {self._report.failures[-1]}")


PARTS: Final[dict[str, Callable[[Bench], None]]] = {
    "engines": Bench.engines,
    "clickstream": Bench.clickstream,
    "workers": Bench.workers,
    "latency": Bench.latency,
    "scale": Bench.scale,
    "loop": Bench.loop,
    "slow_buyers": Bench.slow_buyers,
    "links": Bench.links,
}


def names(known: object) -> Callable[[str], list[str]]:
    """Returns a parser of a comma-separated list of known names."""

    def parsed(text: str) -> list[str]:
        given = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := [name for name in given if name not in list(known)]:  # type: ignore[call-overload]
            message = f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}"  # type: ignore[arg-type]
            raise argparse.ArgumentTypeError(message)
        return given

    return parsed


def counts(text: str) -> list[int]:
    """Returns the numbers of a comma-separated list."""
    return [int(number) for number in text.split(",")]


def main() -> int:
    """Measures, writes the report and prints it. Returns 1 if a part gave no figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench-report"), help="folder of report.md, .svg and .json")
    parser.add_argument("--parts", type=names(PARTS), default=list(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--engines", type=names(ENGINES), default=list(ENGINES), help=f"of {','.join(ENGINES)}")
    parser.add_argument("--events", type=int, default=60_000, help="events of a run")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each engine")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time at each load")
    parser.add_argument("--floor-seconds", type=float, default=5.0, help="measured time of bare transactions")
    parser.add_argument(
        "--max-rate", type=float, default=10_000, help="upper limit of the throughput that loads refer to"
    )
    parser.add_argument("--profiles", type=counts, default=[10_000, 100_000, 1_000_000], help="as 10000,100000")
    parser.add_argument("--scale-events", type=int, default=30_000, help="events with so many profiles in state")
    parser.add_argument("--slow-buyers", type=int, default=200, help="customers of that workload")
    parser.add_argument("--link-customers", type=int, default=25_000, help="four new links each")
    options = parser.parse_args()
    with broker() as running:
        report = Report(facts(running.description))
        Bench(running.bootstrap_servers, options, report).run()
    print(report.markdown())
    return int(bool(report.failures))


def say(line: str) -> None:
    """Prints at once, so that a benchmark that is ended early has printed its results so far."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
