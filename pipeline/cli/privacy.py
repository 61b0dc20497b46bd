"""``stitchline privacy access | erase | suppress | admit | status``: a person's rights.

Exit codes: 0 done; 1 Kafka, the rules or a file refused (the message says what to do); 2 wrong use; 5 requested, and
some partitions have not answered yet.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException

from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained, fail
from pipeline.cli.identity import Actor, Json, Tenant, Why, reason, tenant_named, user
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.privacy_screen import print_progress, print_receipt
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.control.send_command import CommandSender, Kind, new_command
from pipeline.privacy.access import AccessReport, write_json, write_zip
from pipeline.privacy.find_person import find_person
from pipeline.privacy.person import Person
from pipeline.privacy.progress import RequestProgress, progress_of, wait_for_receipts
from pipeline.privacy.receipt import receipt_of, searched_receipt
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.settings import Settings

ACCESS_EXAMPLES = """\b
Exit codes: 0 written; 1 Kafka, the rules or a file refused; 2 not an identifier.
\b
Examples:
  stitchline privacy access email:ada@example.org --out ada.zip
  stitchline privacy access loyalty_id:L-1077 > ada.json
"""
ERASE_EXAMPLES = """\b
Exit codes: 0 erased everywhere; 1 Kafka, the rules or a file refused; 2 not an identifier; 5 requested, but not every
partition has answered yet: see privacy status.
\b
Examples:
  stitchline privacy erase email:ada@example.org --why "ticket 902" --receipt receipt.json
  stitchline privacy erase loyalty_id:L-1077 --why "ticket 902" --suppress --yes --json
"""
SUPPRESS_EXAMPLES = """\b
Exit codes: 0 in force; 1 Kafka or the rules refused; 2 not an identifier; 5 requested, but not every partition has
answered yet.
\b
Examples:
  stitchline privacy suppress email:ada@example.org --why "ticket 903: objects to profiling"
  stitchline privacy admit email:ada@example.org --why "ticket 951: agrees again"
"""
STATUS_EXAMPLES = """\b
Exit codes: 0 complete; 1 Kafka refused, or no such request; 5 not every partition has answered yet.
\b
Examples:
  stitchline privacy status decision/0b9d7f0c-0d2a-4a4f-9d51-7f8f8a6d2d0e
  stitchline privacy status decision/0b9d7f0c-0d2a-4a4f-9d51-7f8f8a6d2d0e --json
"""

Identifier = Annotated[str, typer.Argument(metavar="IDENTIFIER", help="Any identifier of the customer, type:value.")]
Search = Annotated[
    bool,
    typer.Option("--search/--no-search", help="Search all topics for what is left. Reads them from the beginning."),
]
Within = Annotated[float, typer.Option("--within", min=0, help="Seconds to wait for all partitions; 0: do not wait.")]

app = typer.Typer(no_args_is_help=True, help="Write out, erase or refuse what is about a person. Prints personal data.")


@app.command(epilog=ACCESS_EXAMPLES)
def access(
    identifier: Identifier,
    *,
    out: Annotated[Path | None, typer.Option(help="A file to write: .zip, else one JSON document.")] = None,
    tenant: Tenant = "default",
) -> None:
    """Write out everything that is held about the customer that owns an identifier.

    Searches every topic for records that name one of the customer's identifiers, and adds the profile and the links.
    """
    with explained(OSError, KafkaException):
        settings = connected(Settings())
        rules = load_rules(settings.rules_dir)
        person, identity = find_person(settings, rules, identifier, tenant_named(tenant))
        with Bars() as bars:
            progress = bars.reading("reading topics")
            report = AccessReport(settings, rules).write(person, identity, wall_clock_ms(), progress)
        if out is None:
            print_json(report, indent=2)
            return
        (write_zip if out.suffix == ".zip" else write_json)(out, report)
    records = sum(map(len, report["records"].values()))
    print_line(f"{out}: {len(person.identifiers)} identifiers, {records} records of {len(report['records'])} topics")


@app.command(epilog=ERASE_EXAMPLES)
def erase(
    identifier: Identifier,
    *,
    why: Why,
    actor: Actor = "",
    tenant: Tenant = "default",
    suppress: Annotated[bool, typer.Option("--suppress", help="Refuse further events of the customer too.")] = False,
    receipt: Annotated[Path | None, typer.Option(help="A file for the receipt, as JSON.")] = None,
    search: Search = True,
    within: Within = 120.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")] = False,
    as_json: Json = False,
) -> None:
    """Erase the customer that owns an identifier, through all merges, from state, compacted topics and the CRM.

    Events up to now are without effect from then on, whenever they arrive. Prints a receipt: what each stage did, and
    what the logs hold until when.
    """
    with explained(OSError, KafkaException):
        settings = connected(Settings())
        rules = load_rules(settings.rules_dir)
        tenant = tenant_named(tenant)
        person, _ = find_person(settings, rules, identifier, tenant)
        if not yes:
            typer.confirm(
                f"Erase the customer with {len(person.identifiers)} identifiers for good?", abort=True, err=True
            )
        if suppress:
            _request(settings, "opt_out", person, (actor, why), within)
        progress = _request(settings, "erase", person, (actor, why), within)
        document = _receipt(settings, rules, person, progress, search=search)
        if receipt is not None:
            write_json(receipt, document)
    if as_json:
        print_json(document)
    else:
        print_receipt(screen(), document)
    _fail_if_open(progress)
    if not document["complete"]:
        names = ", ".join(topic["topic"] for topic in document["topics"] or () if topic["current"])
        fail(f"{names}: current values still name the customer; run the command again", ExitCode.FAILED)


@app.command(epilog=SUPPRESS_EXAMPLES)
def suppress(
    identifier: Identifier,
    *,
    why: Why,
    actor: Actor = "",
    tenant: Tenant = "default",
    within: Within = 30.0,
    as_json: Json = False,
) -> None:
    """Refuse further events of the customer that owns an identifier: in the collector and in INTAKE. Erases nothing.

    Events with an identifier that names a person are refused. Devices and cookies are removed from the events of
    others.
    """
    _decide("opt_out", identifier, (actor, why), tenant, within, as_json=as_json)


@app.command(epilog=SUPPRESS_EXAMPLES)
def admit(
    identifier: Identifier,
    *,
    why: Why,
    actor: Actor = "",
    tenant: Tenant = "default",
    within: Within = 30.0,
    as_json: Json = False,
) -> None:
    """Accept events of the customer that owns an identifier again. After an erasure, name each identifier."""
    _decide("opt_in", identifier, (actor, why), tenant, within, as_json=as_json)


@app.command(epilog=STATUS_EXAMPLES)
def status(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The id that the request printed.")],
    *,
    tenant: Tenant = "default",
    as_json: Json = False,
) -> None:
    """Show which partitions have done a request, with their counts."""
    with explained(OSError, KafkaException):
        progress = progress_of(connected(Settings()), tenant_named(tenant), request)
    _show(progress, as_json=as_json)


def _decide(kind: Kind, identifier: str, by: tuple[str, str], tenant: str, within: float, *, as_json: bool) -> None:
    with explained(OSError, KafkaException):
        settings = connected(Settings())
        person, _ = find_person(settings, load_rules(settings.rules_dir), identifier, tenant_named(tenant))
        progress = _request(settings, kind, person, by, within)
    _show(progress, as_json=as_json)


def _show(progress: RequestProgress, *, as_json: bool) -> None:
    if as_json:
        print_json({**_facts(progress), "complete": progress.is_complete})
    else:
        print_progress(screen(), progress)
    _fail_if_open(progress)


def _facts(progress: RequestProgress) -> dict[str, Any]:
    return {name: getattr(progress, name) for name in progress.__struct_fields__}


def _request(
    settings: Settings, kind: Kind, person: Person, by: tuple[str, str], within_seconds: float
) -> RequestProgress:
    """Sends a request and waits for the partitions."""
    actor, why = by
    command = new_command(person.tenant, kind, person.identifiers[0], "", actor or user(), reason(why), wall_clock_ms())
    sender = CommandSender(settings)
    sender.send(command)
    if not sender.wait_for_changes(command, max(within_seconds, 1.0)):
        fail(f"requested: {command.event_id}; it takes effect when a stitch worker runs", ExitCode.NO_ANSWER)
    return wait_for_receipts(settings, person.tenant, command.event_id, within_seconds)


def _receipt(
    settings: Settings, rules: Rules, person: Person, progress: RequestProgress, *, search: bool
) -> dict[str, Any]:
    if not search:
        return receipt_of(person, progress, None)
    with Bars() as bars:
        return searched_receipt(settings, rules, person, progress, bars.reading("searching topics"))


def _fail_if_open(progress: RequestProgress) -> None:
    if not progress.is_complete:
        message = f"not every partition has answered: stitchline privacy status {progress.request}"
        fail(message, ExitCode.NO_ANSWER)
