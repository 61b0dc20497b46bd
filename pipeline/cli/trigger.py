"""``stitchline trigger dry-run``: the leads that triggers would make, before their rules are deployed.

Exit codes: 0 counted, 1 Kafka or a rules file refused (the message says what to do), 2 wrong use: not a moment.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.markup import escape

from pipeline.cli.bar import Bars
from pipeline.cli.explained import complain, explained
from pipeline.cli.printed import print_json
from pipeline.cli.profile import UNDECIDED, AsOf, Json
from pipeline.cli.rules_in_force import connected_under
from pipeline.cli.screen import screen
from pipeline.cli.segment import RulesDir, reached_at
from pipeline.cli.tables import titled_table
from pipeline.clock import wall_clock_ms
from pipeline.printable import printable_values
from pipeline.query.as_of import as_of_ms, refuse_past_of
from pipeline.query.dry_run import DryRun
from pipeline.query.dry_run import dry_run as tried
from pipeline.query.members import current_rows
from pipeline.query.profiles import profile_rows, profile_snapshot
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.trigger.rules import SegmentTrigger, Trigger, TriggerRule

EXAMPLES = """\b
Exit codes: 0 counted; 1 Kafka or the rules refused; 2 not a moment, or one before the newest event.
\b
Examples:
  stitchline trigger dry-run
  stitchline trigger dry-run --rules my-rules --sample 20
  stitchline trigger dry-run --rules my-rules --as-of latest --json
"""

app = typer.Typer(no_args_is_help=True, help="Try triggers on the stored profiles. Prints personal data.")


@app.callback()
def _trigger() -> None:
    """Try triggers on the stored profiles."""


@app.command("dry-run", epilog=EXAMPLES)
def dry_run(
    *,
    rules_dir: RulesDir = None,
    as_of: AsOf = "now",
    sample: Annotated[int, typer.Option(min=0, help="Number of customers to show per trigger.")] = 10,
    as_json: Json = False,
) -> None:
    """Count the stored profiles for which each trigger would fire now, under these rules. Writes nothing.

    Would fire: the trigger is armed for the customer, and its condition holds.

    Cooldown, consent, quiet hours: the condition holds, and this prevents firing. The first of them counts.

    Open: fired and not armed again yet. Spent: fires once per customer, and has fired.

    Falling and exit triggers arm only after the level was reached; customers first seen below it do not fire.

    A profile is evaluated no earlier than its newest event and the latest moment that workers decided for.

    Workers evaluate a customer at an event or a due time, so the actions of new rules appear over time.
    """
    with explained(OSError, KafkaException):
        moment_ms, settings = as_of_ms(as_of, wall_clock_ms()), Settings()
        rules = load_rules(rules_dir or settings.rules_dir)
        triggers = rules.triggers.every()
        settings = connected_under(settings, rules, rules_dir)
        with Bars() as bars:
            snapshot = profile_snapshot(settings, bars.reading("reading"))
            refuse_past_of(as_of, profile_rows(snapshot.rows))
            rows = current_rows(profile_rows(snapshot.rows), bars.counting("trying", len(snapshot.rows)))
            tried_out = tried(rows, compiled(rules), [rule.name for rule in triggers], moment_ms, sample)
    if snapshot.undecided:
        complain(UNDECIDED)
    if as_json:
        report = _report(triggers, tried_out, not snapshot.undecided)
        print_json(report, indent=2)
    else:
        _print(screen(), triggers, tried_out)


def _report(triggers: Sequence[Trigger], tried_out: DryRun, complete: bool) -> dict[str, Any]:
    tallies = tried_out.tallies
    tallies_by_rule = [
        {"name": rule.name, "fires_when": _fires_when(rule), **msgspec.structs.asdict(tallies[rule.name])}
        for rule in triggers
    ]
    return {"profiles": tried_out.profiles, "complete": complete, "triggers": tallies_by_rule}


def _print(console: Console, triggers: Sequence[Trigger], tried_out: DryRun) -> None:
    counts = titled_table(
        f"Of {tried_out.profiles} customers", "trigger", "would fire", "cooldown", "consent", "quiet hours", "open",
        "spent", "fires when",
    )  # fmt: skip
    for column in counts.columns[1:-1]:
        column.justify = "right"
    some = titled_table("Some profiles for which they would fire", "trigger", "profile", "score", "grade", "reached at")
    some.columns[2].justify = "right"
    for rule in triggers:
        tally = tried_out.tallies[rule.name]
        numbers = (tally.fires, *tally.waits.values(), tally.open, tally.spent)
        counts.add_row(escape(rule.name), *map(str, numbers), escape(_fires_when(rule)))
        for action in printable_values(list(tally.sample)):
            reached = escape(reached_at(action))
            some.add_row(escape(rule.name), action["profile_id"], f"{action['score']:g}", action["grade"], reached)
    console.print(counts)
    if some.row_count:
        console.print()
        console.print(some)


def _fires_when(rule: Trigger) -> str:
    """What a trigger watches, in words."""
    if isinstance(rule, SegmentTrigger):
        return f"segment {rule.segment} is {'entered' if rule.change == 'entered' else 'left'}"
    if isinstance(rule, TriggerRule) and rule.falling:
        return f"{rule.score} falls below {rule.low:g}"
    return f"{rule.score} reaches {rule.high:g}" if isinstance(rule, TriggerRule) else ""
