"""``stitchline chaos``: workers under seeded faults on a Kafka of their own, compared with ``simulate``.

Exit codes: 0 no difference, 1 differences or the run could not be made, 2 wrong use; 128 + n ended by signal n.
"""

import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from confluent_kafka import KafkaException
from rich.console import Console

from pipeline.chaos.chosen import chosen_counts, chosen_seconds
from pipeline.chaos.plan import Kind, Plan
from pipeline.chaos.report import Report
from pipeline.chaos.run import State, run
from pipeline.cli.chaos_screen import print_report
from pipeline.cli.ending import Ended, ends_on_signals
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.settings import Settings

EXAMPLES = """\b
Exit codes: 0 no difference; 1 differences, or the run could not be made; 2 wrong use; 130 ended by ctrl-c.
\b
Examples:
  stitchline chaos
  stitchline chaos --seed 12 --for 10m --kills 100 --zombies 20 --broker-restarts 5 --resizes 20 --disk-full 2
  stitchline chaos --soak 30m --events 60000
"""
STEP_SECONDS: Final = 5.0
"""Between two progress lines where no terminal reads them."""

app = typer.Typer()


@app.command("chaos", epilog=EXAMPLES)
def chaos(  # noqa: PLR0917 - the command's options
    seed: Annotated[int, typer.Option(help="The same seed, options and version: the same events and faults.")] = 7,
    events: Annotated[int, typer.Option(min=120, max=2_000_000, help="Events of the day.")] = 20_000,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes; faults add and remove others.")] = 2,
    seconds: Annotated[str, typer.Option("--for", help="Length of the load, such as 90s or 10m.")] = "2m",
    kills: Annotated[int | None, typer.Option(min=0, help="kill -9 of a worker.")] = None,
    zombies: Annotated[int | None, typer.Option(min=0, help="SIGSTOP beyond the session, then SIGCONT.")] = None,
    resizes: Annotated[int | None, typer.Option(min=0, help="Workers added or removed.")] = None,
    broker_restarts: Annotated[
        int | None, typer.Option(min=0, help="kill -9 of the broker; every second with all workers.")
    ] = None,
    away: Annotated[str, typer.Option(help="Seconds that the broker is away, in turn.")] = "3,22",
    disk_full: Annotated[int | None, typer.Option("--disk-full", min=0, help="The workers' disk full.")] = None,
    others: Annotated[
        int | None, typer.Option(min=0, help="Faults of each other kind: descriptors, network, clocks, bytes, copies.")
    ] = None,
    soak: Annotated[str, typer.Option(help="No faults: measure memory, disk and files for this long.")] = "",
    session_timeout_ms: Annotated[int, typer.Option(min=1000, help="Session timeout of the workers.")] = 6000,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the run's folder: logs, copies, Kafka's data.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
) -> None:
    """Break workers, brokers, disk and network on purpose, and compare the result with simulate.

    Runs on an Apache Kafka of its own in a temporary folder, never on a configured one.
    """
    with explained():
        base = Settings()
        length = chosen_seconds(soak or seconds)
        counts = chosen_counts(
            kills=kills, zombies=zombies, resizes=resizes, broker_restarts=broker_restarts, disk_full=disk_full,
            others=others, soak=bool(soak),
        )  # fmt: skip
        away_seconds = tuple(chosen_seconds(text) for text in away.split(","))
    if base.bootstrap_servers:
        fail("chaos runs on a Kafka of its own only: unset STITCHLINE_BOOTSTRAP_SERVERS", ExitCode.MISUSED)
    plan = Plan(
        seed=seed, events=events, workers=workers, seconds=length, counts=counts, away_seconds=away_seconds,
        session_timeout_ms=session_timeout_ms, soak=bool(soak),
    )  # fmt: skip
    report = _run(plan, base, keep=keep)
    print_json(report) if as_json else print_report(screen(), report)
    if not report.is_good:
        fail(f"the result differs from simulate; replay: {report.replay}", ExitCode.FAILED)


def _run(plan: Plan, base: Settings, *, keep: bool) -> Report:
    replay, folder = replay_line(plan), Path(tempfile.mkdtemp(prefix="stitchline-chaos-"))
    print_line(f"seed {plan.seed} · {plan.faults} faults in {plan.seconds:.0f} s · replay: {replay}", err=True)
    good = False
    try:
        with explained(KafkaException), ends_on_signals():
            report = run(plan, base, folder, replay, _Progress(screen(stderr=True)))
            good = report.is_good
            return report
    except Ended as end:
        complain("ended early; nothing is left running")
        good = True
        raise typer.Exit(end.exit_code) from None
    finally:
        if keep or not good:
            complain(f"the run's folder is {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def replay_line(plan: Plan) -> str:
    """Returns the command that runs the plan again."""
    options = {
        "seed": plan.seed, "events": plan.events, "workers": plan.workers,
        "kills": plan.counts.get(Kind.KILL, 0), "zombies": plan.counts.get(Kind.ZOMBIE, 0),
        "resizes": plan.counts.get(Kind.RESIZE, 0),
        "broker-restarts": plan.counts.get(Kind.BROKER, 0) + plan.counts.get(Kind.BROKER_AND_WORKERS, 0),
        "disk-full": plan.counts.get(Kind.DISK, 0), "others": plan.counts.get(Kind.FOREIGN, 0),
        "away": ",".join(f"{each:g}" for each in plan.away_seconds),
        "session-timeout-ms": plan.session_timeout_ms, "soak" if plan.soak else "for": f"{plan.seconds:g}s",
    }  # fmt: skip
    return shlex.join(["stitchline", "chaos", *(f"--{name}={value}" for name, value in options.items())])


class _Progress:
    """One line that is written again on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console, self._said, self._due = console, "", 0.0

    def __call__(self, state: State) -> None:
        text = f"{state.seconds:6.0f} s · {state.faults} faults · {state.acknowledged} events · {state.step}"
        if self._console.is_terminal:
            self._console.print(text, end="\r")
        elif state.step != self._said or state.seconds >= self._due:
            self._console.print(text)
            self._said, self._due = state.step, state.seconds + STEP_SECONDS
