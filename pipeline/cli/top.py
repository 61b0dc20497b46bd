"""``stitchline top``: what the pipeline is doing, live, from Kafka alone.

Exit codes: 0 ended, 1 Kafka or the schema registry refused.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import Annotated, Final

import msgspec
import typer
from confluent_kafka import KafkaException
from rich.console import Console, Group
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from pipeline.cli.connect import connected
from pipeline.cli.ending import Ended, ends_on_signals
from pipeline.cli.explained import explained
from pipeline.cli.printed import print_json
from pipeline.cli.screen import screen
from pipeline.printable import printable
from pipeline.query.flow import FlowMeter, StageFlow
from pipeline.query.live import Counts, HotLead, Live
from pipeline.settings import Settings

POLL_SECONDS: Final = 0.1
HOTTEST: Final = 10
EXAMPLES = """\b
Exit codes: 0 ended; 1 Kafka or the schema registry refused.
\b
Examples:
  stitchline top
  stitchline top --once
  stitchline top --json --interval 5
"""

app = typer.Typer()


class Picture(msgspec.Struct, frozen=True):
    """One look at everything; what ``--json`` prints."""

    stages: list[StageFlow]
    counts: Counts
    complete: bool
    """False while what was in the topics before is still being read: the counts are too low then."""
    hottest: list[HotLead]
    rules_version: str = ""
    """Of the newest profile update; "" if there is none."""


@app.command("top", epilog=EXAMPLES)
def top(
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two updates.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each update as one line of JSON.")] = False,
) -> None:
    """Show rates and lag of every stage, customers, merges, leads and the DLQ, until ctrl-c."""
    console = screen()
    with (
        explained(KafkaException),
        suppress(Ended),
        ends_on_signals(),
        closing(_pictures(connected(Settings()), interval, whole=once)) as pictures,
    ):
        if as_json or once or not console.is_terminal:
            for picture in pictures:
                print_json(picture) if as_json else console.print(drawn(picture))
                if once:
                    return
        _watch(pictures, console)


def _watch(pictures: Iterator[Picture], console: Console) -> None:
    waiting = Text("reading the topics…", style="dim")
    with Screen(waiting, console=console, screen=True, auto_refresh=False) as screen:
        for picture in pictures:
            screen.update(drawn(picture), refresh=True)


def _pictures(settings: Settings, interval: float, *, whole: bool) -> Generator[Picture]:
    """A picture every ``interval`` seconds; with ``whole`` none before everything there is has been read."""
    with Live(settings) as live, closing(FlowMeter(settings)) as meter:
        meter.sample(time.monotonic())
        if whole:
            live.until_now()
        due = time.monotonic() + interval
        while True:
            while time.monotonic() < due:
                live.poll(min(POLL_SECONDS, max(0.0, due - time.monotonic())))
            due += interval
            stages = meter.sample(time.monotonic())
            board = live.board
            yield Picture(stages, board.counts(), live.has_caught_up, board.hottest(HOTTEST), board.rules.version)


def drawn(picture: Picture) -> Group:
    """The picture for people."""
    counts = picture.counts
    head = Text(f"{counts.customers:,} customers", style="bold")
    head.append(f" · {counts.merges:,} merges · {counts.leads:,} leads", style="not bold")
    if counts.duplicates:
        head.append(f" ({counts.duplicates:,} closed as duplicates)", style="dim not bold")
    head.append(f" · {counts.quarantined:,} in the DLQ", style="red" if counts.quarantined else "not bold")
    if picture.rules_version:
        head.append(f" · rules {printable(picture.rules_version)}", style="dim not bold")
    if not picture.complete:
        head.append("  still reading what was there before", style="yellow not bold")
    return Group(head, Text(), flow_table(picture.stages), Text(), _leads(picture.hottest))


def flow_table(stages: list[StageFlow]) -> Table:
    """Rate and lag per stage, and where the lag is."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("stage", min_width=8)
    table.add_column("records/s", justify="right", min_width=10)
    table.add_column("waiting", justify="right", min_width=10)
    table.add_column("where", style="dim")
    for flow in stages:
        where = ", ".join(f"{topic} {lag:,}" for topic, lag in flow.lag_by_topic.items())
        table.add_row(flow.stage, f"{flow.per_second:,.0f}", f"{flow.lag:,}", where)
    return table


def _leads(hottest: list[HotLead]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("hottest leads", min_width=20)
    table.add_column("score", justify="right", style="green")
    table.add_column("identifiers", justify="right")
    table.add_column("look at", style="dim")
    for lead in hottest:
        table.add_row(
            Text(printable(lead.name)), f"{lead.score:.0f}", str(lead.identifiers), Text(printable(lead.identifier))
        )
    return table
