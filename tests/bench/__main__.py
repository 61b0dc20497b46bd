"""``make bench``: the whole job on a real Kafka beside the same stages in a loop, in one run.

    python -m tests.bench [--events 400000] [--users 50000] [--rules small|default|both] [--json FILE]

The worker process and the loop are pinned to one core, the broker has the others. The first third of the events is
warm-up: people and links are new, rows are read for the first time. A run counts only if every event came through.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import msgspec

from pipeline.local.broker import broker
from tests.bench.bare import bare_loop
from tests.bench.core import encoded, in_a_loop
from tests.bench.whole import Figures, on_kafka
from tests.bench.workload import events

RULES = {"small": Path(__file__).with_name("rules"), "default": None}
WARM_UP_SHARE = 3


def main() -> int:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--rules", choices=[*RULES, "both"], default="both")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    say(
        f"{options.events:,} events of {options.users:,} users; {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )
    result = {}
    with broker() as running:
        say(f"broker: {running.description}")
        for name in RULES if options.rules == "both" else [options.rules]:
            result[name] = compare(name, options.events, options.users, running.bootstrap_servers)
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(result), indent=2))
    return 0


def compare(name: str, number: int, users: int, bootstrap: str) -> dict[str, Figures | float]:
    """One rules directory: the loop, the whole job, and their ratio."""
    rules = RULES[name]
    records = encoded(events(number, users), rules)
    warm_up = number // WARM_UP_SHARE
    core = in_a_loop(records, warm_up, rules)
    with tempfile.TemporaryDirectory() as home:
        whole = on_kafka(bootstrap, Path(home), records, warm_up, rules, f"bench-{name}")
    bare = bare_loop(bootstrap, f"bench-{name}", len(records))
    say(f"rules: {name}")
    say(f"  the three stages in a loop, in memory  {core:9,.0f} events/s")
    say(
        f"  the whole job, one worker process      {whole.events_per_second:9,.0f} events/s, "
        f"{whole.cpu_seconds_per_100k:.2f} CPU s per 100,000 events, peak {whole.peak_mb:,.0f} MB"
    )
    say(f"  a bare librdkafka loop, nothing kept   {bare:9,.0f} events/s")
    say(f"  ratio to the stages in a loop          {whole.events_per_second / core:9.2f}")
    say(f"  ratio to the bare loop                 {whole.events_per_second / bare:9.2f}")
    return {"loop_events_per_second": core, "bare_events_per_second": bare, "whole": whole}


def say(line: str) -> None:
    """Print at once, so that a killed benchmark has printed its results so far."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
