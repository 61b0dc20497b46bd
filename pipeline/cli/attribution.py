"""``stitchline attribution report``: which marketing has led to what, and what an acquisition costs.

Exit codes: 0 shown, 1 Kafka or a rules file refused (the message says what to do), 2 wrong use.
"""

from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.explained import complain, explained
from pipeline.cli.printed import print_json
from pipeline.cli.profile_screen import money
from pipeline.cli.rules_in_force import note_other_rules
from pipeline.cli.screen import screen
from pipeline.errors import OperatorError
from pipeline.kafka.reading import partitions_of
from pipeline.kafka.snapshot import read_compacted
from pipeline.printable import printable
from pipeline.profile.journey.credit import MODELS
from pipeline.profile.journey.rules import AttributionRules
from pipeline.query.attribution import By, Line, Report, attribution_report, report_view
from pipeline.query.profiles import profile_rows
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.topics import CHANGELOGS, StageName


class NoAttributionError(OperatorError):
    """Operator action: declare attribution, with conversions, in journeys.yaml."""


EXAMPLES = """\b
Exit codes: 0 shown; 1 Kafka or the rules refused; 2 not a model, or not one of the groupings or conversions.
\b
Examples:
  stitchline attribution report
  stitchline attribution report --model time_decay --by source
  stitchline attribution report --conversion order --json
"""
UNDECIDED = "note: a transaction is still open (a worker was killed?); what it would add is not in the report"

app = typer.Typer(no_args_is_help=True, help="Credit and cost of marketing.")


@app.callback()
def _attribution() -> None:
    """Credit and cost of marketing."""


@app.command(epilog=EXAMPLES)
def report(
    model: Annotated[
        str, typer.Option("--model", metavar="|".join(MODELS), help="Model that shares the credit for a conversion.")
    ] = "linear",
    by: Annotated[By, typer.Option("--by", help="Grouping of the lines.")] = "campaign",
    conversion: Annotated[str, typer.Option("--conversion", metavar="NAME", help="Only these; default: all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print conversions credited, revenue, cost and cost per acquisition, over all stored profiles.

    Costs are those of ad events that could be tied to a customer. Money is never added across currencies.
    """
    if model not in MODELS:
        message = f"there is no {model}; write one of {', '.join(MODELS)}"
        raise typer.BadParameter(message, param_hint="--model")
    with explained(KafkaException):
        settings = connected(Settings())
        rules = _rules(settings)
        names = [item.name for item in rules.conversions]
        if conversion and conversion not in names:
            message = f"no conversion is named {conversion}; write one of {', '.join(names)}"
            raise typer.BadParameter(message, param_hint="--conversion")
        kafka, topic = settings.kafka(), CHANGELOGS[StageName.PROFILE].of(settings.topic_prefix)
        with Bars() as bars:
            partitions = range(partitions_of(kafka, topic))
            snapshot = read_compacted(kafka, topic, partitions, progress=bars.reading("reading"))
            made = attribution_report(profile_rows(snapshot.rows), rules, model, by, conversion)
    if snapshot.undecided:
        complain(UNDECIDED)
    if as_json:
        shown = report_view(made) | {"complete": not snapshot.undecided}
        print_json(shown, indent=2)
    else:
        print_report(screen(), made)


def _rules(settings: Settings) -> AttributionRules:
    in_force = load_rules(settings.rules_dir)
    note_other_rules(settings, in_force)
    rules = in_force.journeys.attribution
    if rules is None or not rules.conversions:
        message = "no conversions are declared: add attribution with conversions to journeys.yaml"
        raise NoAttributionError(message)
    return rules


def print_report(console: Console, made: Report) -> None:
    """Print a report for people."""
    title = f"{made.conversions} conversions of {made.profiles} profiles, {made.model.replace('_', ' ')} by {made.by}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in (made.by, "conversions", "revenue", "cost", "per acquisition"):
        table.add_column(name, header_style="dim", justify="left" if name == made.by else "right", overflow="fold")
    for line in made.lines():
        table.add_row(*_cells(line))
    table.add_section()
    table.add_row(*_cells(made.total()), style="bold")
    console.print(table)


def _cells(line: Line) -> list[str]:
    amounts = (line.revenue_minor, line.cost_minor, line.cost_per_acquisition_minor)
    return [escape(printable(line.name)), f"{line.conversions:.2f}", *map(_money, amounts)]


def _money(by_currency: dict[str, Any]) -> str:
    return "\n".join(money(minor, currency) for currency, minor in by_currency.items()) or "-"
