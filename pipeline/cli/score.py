"""``stitchline score explain``: what a score is made of.

Exit codes: 0 explained, 1 Kafka or a rules file refused (the message says what to do), 2 wrong use, 4 unknown.
"""

from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException
from rich.console import Console

from pipeline.cli.connect import connected
from pipeline.cli.explained import explained
from pipeline.cli.printed import print_json
from pipeline.cli.profile import AsOf, CustomerArgument, Json, customer
from pipeline.cli.profile_screen import print_scores
from pipeline.cli.rules_in_force import note_other_rules
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.event.instant import format_instant
from pipeline.printable import printable_values
from pipeline.profile.view import profile_view
from pipeline.query.as_of import as_of_ms, refuse_past_of
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.settings import Settings

SHOWN = ("profile_id", "tenant", "as_of_ms", "grade", "scores")
EXAMPLES = """\b
Exit codes: 0 explained; 1 Kafka or the rules refused; 2 not an identifier, not a moment, or one before the newest
event; 4 unknown.
\b
Examples:
  stitchline score explain email:ada@example.org
  stitchline score explain loyalty_id:L-1077 --as-of latest --json
"""

app = typer.Typer(no_args_is_help=True, help="Explain scores.")


@app.callback()
def _score() -> None:
    """Explain scores."""


@app.command(epilog=EXAMPLES)
def explain(
    identifier: CustomerArgument,
    tenant: Annotated[str, typer.Option(help="Tenant of the customer.")] = "default",
    as_of: AsOf = "now",
    as_json: Json = False,
) -> None:
    """Show each score of a customer with what every rule contributes, and the grade.

    Contributions sum exactly to the score, at any moment, before and after merges.

    Points are shown after decay. A line named cap subtracts the points above a group's cap.
    """
    with explained(OSError, KafkaException):
        at_ms, settings = as_of_ms(as_of, wall_clock_ms()), connected(Settings())
        rules = load_rules(settings.rules_dir)
        note_other_rules(settings, rules)
        found = customer(settings, rules, identifier, tenant)
        refuse_past_of(as_of, [found])
        seen = profile_view(*found, compiled(rules), at_ms)
    facts = {name: seen[name] for name in SHOWN}
    if as_json:
        print_json(facts, indent=2)
    else:
        _print(screen(), facts)


def _print(console: Console, facts: dict[str, Any]) -> None:
    facts = printable_values(facts)
    moment = format_instant(facts["as_of_ms"]) or facts["as_of_ms"]
    console.print(f"[bold]profile[/bold]  {facts['profile_id']}\n[bold]as of[/bold]    {moment}")
    print_scores(console, facts)
    if not facts["scores"]:
        console.print("no rule gives points: see scores.yaml")
