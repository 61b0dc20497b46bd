"""The demo's summary: the pipeline's result compared with the truth, and commands to try next."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipeline.demo.loop import Outcome
from pipeline.demo.truth import Verdict
from pipeline.query.live import Counts


def say_verdict(console: Console, verdict: Verdict, outcome: Outcome, counts: Counts, people: int) -> None:
    """Prints the results line by line, each with a mark for right or wrong."""
    first = (
        "no lead" if outcome.first_lead_seconds is None else f"the first lead after {outcome.first_lead_seconds:.0f} s"
    )
    console.print()
    _print_line(console, "", f"The day is over: {verdict.events_sent:,} events of {people:,} people "
                      f"in {outcome.seconds:.0f} s, {first}.")  # fmt: skip
    counted = f"events counted exactly once: {verdict.events_counted:,} of {verdict.events_sent:,}"
    _print_line(console, _mark(verdict.events_counted == verdict.events_sent), counted)
    fewer = f"{verdict.identifiers:,} identifiers were resolved to {verdict.customers:,} customers"
    _print_line(console, "·", f"{fewer}; most profiles at one time: {outcome.peak_customers:,}")
    whole = f"logged-in people that became one customer: {verdict.people_whole:,} of {verdict.people_logged_in:,}"
    _print_line(console, _mark(verdict.people_whole == verdict.people_logged_in), whole)
    _print_line(console, _mark(not verdict.mixed), f"customers that mix two people: {verdict.mixed:,}")
    planners = f"people with a quote request that became a lead: {verdict.planners_found:,} of {verdict.planners:,}"
    _print_line(console, _mark(verdict.planners_found == verdict.planners), planners)
    _print_line(console, "·", f"{counts.leads:,} leads in all, {counts.quarantined:,} events in the DLQ")


def say_next(console: Console, remains: str, variables: Mapping[str, str], identifier: str) -> None:
    """Prints what the demo leaves behind (``remains``) and three commands that can be copied and run."""
    program = program_name()
    export = "export " + " ".join(f"{name}={value}" for name, value in variables.items())
    console.print()
    _print_line(console, "", f"{remains} Try next:")
    console.print()
    for command in (
        f"{export}; {program} kafka start" if "STITCHLINE_HOME" in variables else export,
        f"{program} profile show {identifier}",
        f"{program} leads tail --from-start",
    ):
        console.print(Text(f"    {command}", style="bold cyan"), soft_wrap=True)
    console.print()


def say_sign_in(console: Console, url: str, name: str, password: str) -> None:
    """Prints where the console is and how to sign in. The only place that shows the password."""
    console.print()
    _print_line(console, "", f"The console shows this day: {url}")
    _print_line(console, "", f"Sign in as {name} with the password {password} (made for this demo; void when it ends).")
    _print_line(console, "", "Workers are stopped; Kafka and the read model stay up. Stop with ctrl-c.")


def program_name() -> str:
    """Returns how to call ``stitchline``: by name if this installation is on the path, else by its path."""
    here = Path(sys.executable).parent / "stitchline"
    path = shutil.which("stitchline")
    if path is not None and Path(path).resolve() == here.resolve():
        return "stitchline"
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)


def _mark(good: bool) -> str:
    return "✓" if good else "✗"


def _print_line(console: Console, mark: str, text: str) -> None:
    style = {"✓": "green", "✗": "bold red"}.get(mark, "")
    console.print(Text.assemble("  ", (f"{mark} " if mark else "", style), text), soft_wrap=True)
