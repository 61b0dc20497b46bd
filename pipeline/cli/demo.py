"""``stitchline demo``: a seeded shop day on a real Kafka, from anonymous clicks to leads.

Exit codes: 0 the day was processed and agrees with the truth, 1 it could not be, or it does not agree; 128 + n ended by
signal n. With ``--serve``, a signal that ends the console is the regular end.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from confluent_kafka import KafkaException
from rich.console import Console

from pipeline.cli.ending import Ended, ends_on_signals
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.demo.demo_state import Display
from pipeline.demo.folder import demo_folder
from pipeline.demo.lines import LineDisplay
from pipeline.demo.run import run_demo
from pipeline.demo.screen import ScreenDisplay
from pipeline.demo.shop import ShopDay, shop_day
from pipeline.demo.summary import say_next, say_sign_in, say_verdict
from pipeline.demo.worker_processes import configured
from pipeline.extras import MissingExtraError, require
from pipeline.local import detached
from pipeline.local.fetch import fetch
from pipeline.local.kafka import LOCK_NAME, LocalKafka
from pipeline.local.lockfile import HERE, read_lock
from pipeline.settings import Settings

TIMEOUT_SECONDS: Final = 90.0
WORKERS_LOG: Final = "workers.log"
CHECK_SECONDS: Final = 0.2
EXAMPLES = """\b
Exit codes: 0 done, and the result agrees with the truth; 1 not; 130 ended early by ctrl-c.
\b
Examples:
  stitchline demo
  stitchline demo --people 200 --events 4000 --seconds 8
  stitchline demo --serve
"""

app = typer.Typer()


@app.command("demo", epilog=EXAMPLES)
def demo(
    *,
    people: Annotated[int, typer.Option(min=1, max=100_000, help="Number of people.")] = 2_000,
    events: Annotated[int, typer.Option(min=6, max=2_000_000, help="Events; at least six per person.")] = 50_000,
    seed: Annotated[int, typer.Option(help="Seed of the generated day.")] = 7,
    seconds: Annotated[float, typer.Option(min=0, max=3600, help="Duration; 0: as fast as possible.")] = 30.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the local Kafka running at the end.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then show the result in the console, on this machine, until ctrl-c.")
    ] = False,
) -> None:
    """Run a seeded shop day on a real Kafka, and show customers and leads as they appear."""
    console, log = screen(), None
    if keep and serve:
        message = "--serve keeps Kafka up until ctrl-c; leave out one of the two"
        raise typer.BadParameter(message, param_hint="--keep")
    with explained(MissingExtraError):
        base = Settings()
        for extra in ("collect", "demo", *(("serve",) if serve else ())):
            require(extra)
    end_ms = wall_clock_ms()
    try:
        day = shop_day(end_ms, seed=seed, people=people, events=events)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--events") from error
    try:
        with explained(KafkaException), ends_on_signals(), demo_folder(base.home) as folder:
            log = folder / WORKERS_LOG
            good = _play(console, base, folder, day, seconds=seconds, keep=keep, serve=serve)
    except Ended as end:
        complain("ended early; nothing is left running")
        raise typer.Exit(end.exit_code) from None
    except typer.Exit:
        if log is not None and log.exists():
            complain(f"the log of the workers is {log}")
        raise
    if not good:
        fail("the result does not agree with the truth; please report it with the seed", ExitCode.FAILED)


def _play(
    console: Console, base: Settings, folder: Path, day: ShopDay, *, seconds: float, keep: bool, serve: bool
) -> bool:
    """From starting Kafka to what to try next; whether the result agrees with the truth."""
    with _kafka(base, folder, console) as servers:
        prefix = f"{base.topic_prefix}-demo-{day.end_ms}" if base.bootstrap_servers else "cdp"
        settings, environment = configured(
            base, bootstrap_servers=servers, home=folder, topic_prefix=prefix,
            application_id=prefix if base.bootstrap_servers else "stitchline",
        )  # fmt: skip
        with _stage(console) as display:
            result = run_demo(
                settings, environment, folder / WORKERS_LOG, day,
                seconds=seconds, timeout_seconds=TIMEOUT_SECONDS, display=display,
            )  # fmt: skip
        say_verdict(console, result.verdict, result.outcome, result.counts, len(day.people))
        if serve:
            _show(console, settings, environment, folder / WORKERS_LOG)
    variables, remains = {"STITCHLINE_HOME": str(folder)}, "Nothing is left running."
    if base.bootstrap_servers:
        variables = {"STITCHLINE_TOPIC_PREFIX": prefix, "STITCHLINE_APPLICATION_ID": prefix}
        remains = f"No worker is left running; the topics {prefix}.… stay on your Kafka."
    elif keep:
        detached.start(folder, "kafka")
        remains = "Apache Kafka goes on running."
    say_next(console, remains, variables, result.identifier)
    return result.verdict.is_true


def _show(console: Console, settings: Settings, environment: Mapping[str, str], log: Path) -> None:
    """Keeps the console up until a signal, which is the regular end."""
    from pipeline.demo.served import served  # noqa: PLC0415  a demo without it needs none of its libraries

    console.print("  starting the console …")
    with served(settings, environment, log) as (sign_in, check):
        say_sign_in(console, *sign_in)
        try:
            while True:
                check()
                time.sleep(CHECK_SECONDS)
        except Ended:
            console.print()


@contextmanager
def _kafka(base: Settings, folder: Path, console: Console) -> Iterator[str]:
    """Brokers: the configured ones, or Apache Kafka on this machine with its data in the demo's folder."""
    if base.bootstrap_servers:
        yield base.bootstrap_servers
        return
    local = LocalKafka(folder / "kafka")
    fetch(f"{local.name} {local.version}", read_lock(HERE / LOCK_NAME))  # its progress bar and ours would collide
    if console.is_terminal:
        with console.status(f"starting {local.description}"):
            local.start()
    else:
        console.print(f"starting {local.description} …", markup=False)
        local.start()
    try:
        yield local.bootstrap_servers
    finally:
        local.stop()


@contextmanager
def _stage(console: Console) -> Iterator[Display]:
    """A picture on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield LineDisplay(console)
        return
    with ScreenDisplay(console) as screen:
        yield screen
