"""``stitchline identity``: explains identities, records decisions, and tries other rules.

Exit codes: 0 done or answered; 1 Kafka, the rules or a file refused (the message says what to do); 2 wrong use;
3 some records of a file rejected; 4 unknown; 5 decided, but no answer yet.
"""

import getpass
import os
from typing import Annotated

import typer
from confluent_kafka import KafkaException

from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained, fail
from pipeline.cli.identity_files import RESOLVE_EXAMPLES, resolve
from pipeline.cli.identity_query import (
    ASK_EXAMPLES,
    DRY_RUN_EXAMPLES,
    GRAPH_EXAMPLES,
    HOUSEHOLD_EXAMPLES,
    dry_run,
    graph,
    household,
    why,
)
from pipeline.cli.identity_screen import print_changes
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.control.send_command import CommandSender, Kind, new_command
from pipeline.event.identifier import Identifier
from pipeline.event.validate import is_tenant
from pipeline.query.naming import Naming
from pipeline.rules.load import load_rules
from pipeline.settings import Settings

ANSWER_SECONDS = 10.0
PAIR_EXAMPLES = """\b
Exit codes: 0 decided; 1 Kafka or the rules refused; 2 not an identifier; 5 decided, no answer yet.
\b
Examples:
  stitchline identity link email:ada@example.org loyalty_id:L-1077 --why "ticket 311: her card"
  stitchline identity unlink user_id:4711 device_id:d-9 --why "ticket 312: the flatmate's tablet"
"""
ONE_EXAMPLES = """\b
Exit codes: 0 decided; 1 Kafka or the rules refused; 2 not an identifier; 5 decided, no answer yet.
\b
Examples:
  stitchline identity suppress email:office@example.org --why "everybody reads it"
  stitchline identity release device_id:d-9 --why "one person's, checked by phone"
"""

A = Annotated[str, typer.Argument(metavar="A", help="An identifier, type:value.")]
B = Annotated[str, typer.Argument(metavar="B", help="Another.")]
Why = Annotated[str, typer.Option("--why", help="The reason, as it appears on identity.changes.")]
Actor = Annotated[str, typer.Option("--actor", help="The person behind the decision. Default: the user of this shell.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Tenant of the customers.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the changes that STITCH makes, and print them.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

app = typer.Typer(
    no_args_is_help=True, help="Explain identities and record decisions about them. Prints personal data."
)


@app.command(epilog=PAIR_EXAMPLES)
def link(
    a: A, b: B, *, why: Why, actor: Actor = "", tenant: Tenant = "default", wait: Wait = True, as_json: Json = False
) -> None:
    """Link two identifiers as one customer's. Limits of types do not reject this link; only the cap on size does."""
    _decide("link", (a, b), why, actor, tenant, wait, as_json)


@app.command(epilog=PAIR_EXAMPLES)
def unlink(
    a: A, b: B, *, why: Why, actor: Actor = "", tenant: Tenant = "default", wait: Wait = True, as_json: Json = False
) -> None:
    """Delete the link between two identifiers until `identity link` restores it. Later events do not restore it."""
    _decide("unlink", (a, b), why, actor, tenant, wait, as_json)


@app.command(epilog=ONE_EXAMPLES)
def suppress(
    a: A, *, why: Why, actor: Actor = "", tenant: Tenant = "default", wait: Wait = True, as_json: Json = False
) -> None:
    """Isolate an identifier: it links to nothing until it is released."""
    _decide("suppress", (a,), why, actor, tenant, wait, as_json)


@app.command(epilog=ONE_EXAMPLES)
def release(
    a: A, *, why: Why, actor: Actor = "", tenant: Tenant = "default", wait: Wait = True, as_json: Json = False
) -> None:
    """Lift a suppression, else permanently lift the firebreak of an identifier that one person uses."""
    _decide("release", (a,), why, actor, tenant, wait, as_json)


app.command("why", epilog=ASK_EXAMPLES)(why)
app.command("graph", epilog=GRAPH_EXAMPLES)(graph)
app.command("household", epilog=HOUSEHOLD_EXAMPLES)(household)
app.command("dry-run", epilog=DRY_RUN_EXAMPLES)(dry_run)
app.command("resolve", epilog=RESOLVE_EXAMPLES)(resolve)


def _decide(  # noqa: PLR0917 - the command's options
    kind: Kind, texts: tuple[str, ...], why: str, actor: str, tenant: str, wait: bool, as_json: bool
) -> None:
    with explained(OSError, KafkaException):
        settings = connected(Settings())
        a, b = _named(kind, texts, Naming(load_rules(settings.rules_dir)))
        now_ms = wall_clock_ms()
        command = new_command(tenant_named(tenant), kind, a, b, actor or user(), reason(why), now_ms)
        decider = CommandSender(settings)
        decider.send(command)
        changes = decider.wait_for_changes(command, ANSWER_SECONDS) if wait else []
    if as_json:
        print_json({"decision": command.event_id, "answered": bool(changes), "changes": changes})
    elif changes:
        print_changes(screen(), changes)
    else:
        print_line(f"decided: {kind} {' '.join(filter(None, (a, b)))} ({command.event_id})")
    if wait and not changes:
        message = f"no answer within {ANSWER_SECONDS:.0f} s: it takes effect when a stitch worker runs"
        fail(message, ExitCode.NO_ANSWER)


def _named(kind: Kind, texts: tuple[str, ...], naming: Naming) -> tuple[Identifier, Identifier]:
    """The identifiers of a decision. Only a link needs them unblocked: the others undo what once was taken."""
    a, b = (*(naming.identifier(text, or_blocked=kind != "link") for text in texts), "")[:2]
    if a == b:
        fail(f"{texts[0]} and {texts[1]} are one identifier; name two", ExitCode.MISUSED)
    return a, b


def tenant_named(text: str) -> str:
    """Returns the tenant of an option, or ends the command."""
    if not is_tenant(text):
        fail(f"--tenant {text!r}: tenants are lower-case letters, digits, - and _", ExitCode.MISUSED)
    return text


def reason(why: str) -> str:
    """Returns the reason of a decision, or ends the command."""
    if not why.strip():
        fail("say --why: a decision without a reason cannot be judged later", ExitCode.MISUSED)
    return why.strip()


def user() -> str:
    """Returns the user of this shell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
