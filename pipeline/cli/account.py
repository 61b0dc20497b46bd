"""``stitchline account show``: what the group calls of all members say of an account.

Exit codes: 0 shown, 1 Kafka refused (the message says what to do), 2 wrong use, 4 there is no such account.
"""

from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.printed import print_json
from pipeline.cli.screen import screen
from pipeline.kafka.reading import partitions_of
from pipeline.kafka.snapshot import read_compacted
from pipeline.printable import printable
from pipeline.query.accounts import account_view, accounts
from pipeline.query.profiles import profile_rows
from pipeline.settings import Settings
from pipeline.topics import CHANGELOGS, StageName

EXAMPLES = """\b
Exit codes: 0 shown; 1 Kafka refused; 2 wrong command line; 4 no customer's event names such an account.
\b
Examples:
  stitchline account show acme
  stitchline account show acme --json
"""
UNDECIDED = "note: a transaction is still open (a worker was killed?); what it would add is not shown"

app = typer.Typer(no_args_is_help=True, help="Show accounts, with traits from the group calls of all members.")


@app.callback()
def _account() -> None:
    """Accounts of customers: traits from the group calls of all members."""


@app.command(epilog=EXAMPLES)
def show(
    account_id: Annotated[str, typer.Argument(metavar="GROUP_ID", help="The groupId of the account's events.")],
    tenant: Annotated[str, typer.Option(help="Whose account.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show an account: the newest value of each trait, whichever member's call stated it, and the members' profiles."""
    with explained(KafkaException):
        settings = connected(Settings())
        kafka, topic = settings.kafka(), CHANGELOGS[StageName.PROFILE].of(settings.topic_prefix)
        with Bars() as bars:
            partitions = range(partitions_of(kafka, topic))
            snapshot = read_compacted(kafka, topic, partitions, progress=bars.reading("reading"))
            known = {(account.tenant, account.account_id): account for account in accounts(profile_rows(snapshot.rows))}
    if snapshot.undecided:
        complain(UNDECIDED)
    account = known.get((tenant, account_id.strip()))
    if account is None:
        fail(f"no event of {tenant} names an account {account_id}", ExitCode.UNKNOWN)
    view = account_view(account)
    print_json(view, indent=2) if as_json else print_account(screen(), view)


def print_account(console: Console, view: dict[str, Any]) -> None:
    """Print an account for people."""
    title = f"{escape(printable(view['account_id']))}, {len(view['profile_ids'])} members"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("trait", "value", "stated", "by"):
        table.add_column(name, header_style="dim", overflow="fold")
    for name, trait in view["traits"].items():
        cells = (name, str(trait["value"]), trait["timestamp"] or "", trait["event_id"])
        table.add_row(*(escape(printable(cell)) for cell in cells))
    console.print(table)
    for profile_id in view["profile_ids"]:
        console.print(profile_id, style="dim")
