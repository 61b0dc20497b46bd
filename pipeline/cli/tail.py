"""``stitchline tail``: events as they come in, each with what became of it.

Exit codes: 0 ended (by ctrl-c, SIGTERM or ``-n``), 1 Kafka or the schema registry refused.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Final

import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.text import Text

from pipeline.cli.connect import connected
from pipeline.cli.ending import Ended, ends_on_signals
from pipeline.cli.explained import complain, explained
from pipeline.cli.printed import print_json
from pipeline.cli.screen import screen
from pipeline.printable import printable
from pipeline.query.arrivals import Arrivals
from pipeline.query.fates import Fate
from pipeline.settings import Settings

IDLE_SECONDS: Final = 10.0
"""After so long without a fate of an event that has arrived, the command reports that no worker reads."""
STYLES: Final = {"taken": "green", "duplicate": "yellow", "quarantined": "red"}
EXAMPLES = """\b
Exit codes: 0 ended; 1 Kafka or the schema registry refused.
\b
Examples:
  stitchline tail
  stitchline tail --source shop-web
  stitchline tail --source shop-web --json -n 10 | jq 'select(.fate != "taken")'
"""

app = typer.Typer()


@app.command("tail", epilog=EXAMPLES)
def tail(
    source: Annotated[str, typer.Option(metavar="NAME", help="Events of this source only. Default: all.")] = "",
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest event.")] = False,
    count: Annotated[int, typer.Option("-n", "--count", min=0, help="End after this number; 0: never.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as one line of JSON.")] = False,
) -> None:
    """Print each event when its fate is known: taken, duplicate (counted before), or quarantined and why.

    Workers must run, since they decide. An event of the collector that is no event is shown at once.
    """
    show = print_json if as_json else _printer(screen())
    with explained(KafkaException), suppress(Ended), ends_on_signals():
        for shown, fate in enumerate(_fates(connected(Settings()), source, from_start=from_start), 1):
            show(fate)
            if shown == count:
                break


def _fates(settings: Settings, source: str, *, from_start: bool) -> Iterator[Fate]:
    """Yields events as their fates become known. Prints a note while none does although events wait."""
    warn_at = time.monotonic() + IDLE_SECONDS
    with Arrivals(settings, source, from_start=from_start) as arrivals:
        while True:
            known = False
            for fate in arrivals.step():
                known = True
                yield fate
            if known or not arrivals.pending:
                warn_at = time.monotonic() + IDLE_SECONDS
            elif time.monotonic() > warn_at:
                complain(f"{arrivals.pending} events wait for a worker; start one with: stitchline worker")
                warn_at = float("inf")


def _printer(console: Console) -> Callable[[Fate], None]:
    if sys.stdout.isatty():
        screen(stderr=True).print("waiting for events; ctrl-c ends", style="dim")
    return lambda fate: console.print(fate_text(fate), soft_wrap=True)


def fate_text(fate: Fate) -> Text:
    """An event in one line: when, from where, what, its id, and its fate."""
    at = datetime.fromtimestamp(fate.timestamp_ms / 1000).astimezone()
    text = Text(f"{at:%Y-%m-%d %H:%M:%S}  ", style="dim")
    text.append(f"{fate.fate:<11}", style=f"{STYLES[fate.fate]} not dim")
    parts = [fate.source, fate.name, fate.message_id]
    text.append("  " + " · ".join(printable(part) for part in parts if part), style="not dim")
    if fate.reason:
        why = f"  {fate.stage}: {fate.reason}: {fate.detail} (stitchline dlq show {fate.place})"
        text.append(printable(why), style="red not dim")
    return text
