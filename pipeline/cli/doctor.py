"""``stitchline doctor``: what keeps this deployment from working, and what to do about each.

Exit codes: 0 all is well or only warnings, 1 at least one check failed.
"""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from confluent_kafka import KafkaException

from pipeline.cli.connect import NoKafkaError, located
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.control.doctor import cluster, hanging, host
from pipeline.control.doctor.finding import Finding, fail
from pipeline.local.kafka_transactions import HangingTransaction
from pipeline.printable import printable
from pipeline.settings import Settings

STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}
EXAMPLES: Final = """\b
Exit codes: 0 all is well, or only warnings; 1 at least one check failed.
\b
Examples:
  stitchline doctor
  stitchline doctor --json
  stitchline doctor --abort-hanging --yes
"""


app = typer.Typer()


@app.command(epilog=EXAMPLES)
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    abort_hanging: Annotated[
        bool, typer.Option("--abort-hanging", help="List transactions that hang, and abort them after confirmation.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Abort without confirmation.")] = False,
) -> None:
    """Check Kafka, topics, transactions, rules, state folder, disk, clock and registry."""
    with explained(KafkaException):
        settings = Settings()
        findings, stuck = checked(settings)
        if abort_hanging and stuck and _confirmed(stuck, yes=yes):
            findings += hanging.abort(located(settings), stuck)
    _show(findings, as_json=as_json)
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def checked(settings: Settings) -> tuple[list[Finding], list[HangingTransaction]]:
    """Returns every finding, and the transactions that hang."""
    local = [
        host.rules(settings), host.state_folder(settings), host.disk(settings), host.descriptors(),
        host.clock(settings, datetime.now(UTC)), host.registry(settings),
    ]  # fmt: skip
    try:
        settings = located(settings)
    except NoKafkaError as error:
        detail, _, action = str(error).partition(": ")
        return [fail("kafka", detail, action), *local], []
    finding, result = cluster.kafka(settings)
    if result is None:
        return [finding, *local], []
    transactions, stuck = hanging.check(settings, result)
    return [finding, *cluster.topics(settings, result), transactions, *local], stuck


def _confirmed(stuck: list[HangingTransaction], *, yes: bool) -> bool:
    for transaction in stuck:
        place = f"{transaction.topic} partition {transaction.partition}"
        print_line(
            f"hangs: {place} from offset {transaction.start_offset}, producer {transaction.producer_id}",
            err=True,
        )
    question = f"Abort {len(stuck)}? Their records stay invisible to read-committed consumers for good."
    return yes or typer.confirm(question, err=True)


def _show(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json(findings, indent=2)
        return
    console = screen(markup=False)
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        console.print(f"{finding.level:<4}", style=STYLES[finding.level], end="  ", soft_wrap=True)
        action = f". {finding.action[0].upper()}{finding.action[1:]}" if finding.action else ""
        console.print(f"{finding.check:<{width}}  {printable(finding.detail + action)}", soft_wrap=True)
