"""``stitchline crm sink | check | setup | reconcile | resync | pull``: the CRMs of ``crm.yaml``.

Exit codes: 0 done, 1 the rules, Kafka or the CRM refused (the message says what to do), 2 no such connection,
6 the CRM lacks something.
"""

import contextlib
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Annotated, Final

import typer
from confluent_kafka import KafkaException

from connectors.crm.connect import connection_of, open_http, open_sink
from connectors.crm.deviation import Deviation
from connectors.crm.fault import StoppedError
from connectors.crm.lead_sink import LeadSink
from connectors.crm.ledger import Ledger
from connectors.crm.reconcile import deviations
from connectors.crm.sink import Finding
from pipeline.cli.connect import connected
from pipeline.cli.crm_delivery import deliver, fix, ledger_topic
from pipeline.cli.crm_pull import PULL_EXAMPLES, pull
from pipeline.cli.crm_resync import RESYNC_EXAMPLES, resync
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.obs.log import configure
from pipeline.obs.metrics import Metrics
from pipeline.printable import printable
from pipeline.rules.crm import CrmConnection
from pipeline.rules.load import load_rules
from pipeline.settings import Settings

MAX_SHOWN: Final = 50
SINK_EXAMPLES = """\b
Exit codes: 0 stopped or drained; 1 the rules, Kafka or the CRM refused; 2 no such connection.
\b
Examples:
  stitchline crm sink hubspot
  stitchline crm sink hubspot --drain --json
"""
CHECK_EXAMPLES = """\b
Exit codes: 0 all is there; 1 the rules or the CRM refused; 2 no such connection; 6 something is missing.
\b
Examples:
  stitchline crm check hubspot
"""
SETUP_EXAMPLES = """\b
Exit codes: 0 done; 1 the rules or the CRM refused; 2 no such connection; 6 something is still missing.
\b
Examples:
  stitchline crm setup hubspot --dry-run
  stitchline crm setup hubspot
"""
RECONCILE_EXAMPLES = """\b
Exit codes: 0 compared, or repaired; 1 the rules, Kafka or the CRM refused; 2 no such connection.
\b
Examples:
  stitchline crm reconcile hubspot
  stitchline crm reconcile hubspot --fix
"""

app = typer.Typer(
    no_args_is_help=True,
    help="Deliver CRM actions to a CRM, read its changes back, and compare it with the ledger.",
)

app.command(epilog=PULL_EXAMPLES)(pull)
app.command(epilog=RESYNC_EXAMPLES)(resync)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a connection in crm.yaml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(epilog=SINK_EXAMPLES)
def sink(
    name: Name,
    drain: Annotated[bool, typer.Option("--drain", help="End when every action there is now is settled.")] = False,
    as_json: Json = False,
) -> None:
    """Deliver actions until SIGTERM or ctrl-c. A second process with the same NAME takes over from the first."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    with explained(OSError, KafkaException):
        settings, connection = _connection(name)
        configure(settings.log_level)
        runner = deliver(connected(settings), connection, stop, drain=drain)
    result = {"delivered": runner.delivered, "skipped": runner.skipped, "quarantined": runner.quarantined}
    if as_json:
        print_json(result)
    else:
        print_line(f"{runner.delivered} actions delivered, {runner.skipped} needed no delivery")
    if runner.quarantined:
        complain(f"{runner.quarantined} records were quarantined; see: stitchline dlq ls --actions")


@app.command(epilog=CHECK_EXAMPLES)
def check(name: Name, as_json: Json = False) -> None:
    """Check the access key, the CRM's fields and its owners. Changes nothing."""
    with explained(OSError), _sink(name) as opened:
        findings = opened.check()
    _show(findings, as_json=as_json)


@app.command(epilog=SETUP_EXAMPLES)
def setup(
    name: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is missing, create nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Create what is missing in the CRM, then write a test object twice and expect one. May be repeated."""
    with explained(OSError), _sink(name) as opened:
        findings = opened.setup(dry_run=dry_run)
    _show(findings, as_json=as_json)


@app.command(epilog=RECONCILE_EXAMPLES)
def reconcile(
    name: Name,
    fix_them: Annotated[
        bool,
        typer.Option("--fix", help="Follow merges, deliver older and deleted objects again. Stops a running sink."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare the ledger with the CRM: deleted, merged, older and changed objects. Shows names of fields, no values."""
    ledger = Ledger()
    with explained(OSError, KafkaException):
        settings, connection = _connection(name)
        settings = connected(settings)
        ledger.apply(ledger_topic(settings).rows(settings.kafka(), name))
        with _opened(connection, ledger) as opened:
            try:
                found = list(deviations(ledger, opened.compare))
            except StoppedError as stopped:
                fail(f"the CRM is not available now: {stopped.pause.reason}", ExitCode.FAILED)
        repaired = fix(settings, connection, found) if fix_them and found else None
    if as_json:
        listed = [_deviation(item) for item in found]
        print_json({"rows": len(ledger), "deviations": listed, "repaired": repaired}, indent=2)
        return
    counts = Counter(item.kind.value for item in found)
    print_line(f"{len(ledger)} rows compared: " + (", ".join(f"{n} {k}" for k, n in sorted(counts.items())) or "equal"))
    for item in found[:MAX_SHOWN]:
        print_line(printable(f"{item.kind} {item.row.object} {item.row.object_id} {item.detail}".rstrip()))
    if len(found) > MAX_SHOWN:
        print_line(f"… {len(found) - MAX_SHOWN} more; --json has all of them")
    if repaired is not None:
        print_line(f"{repaired.repointed} re-pointed, {repaired.delivered} delivered again, {repaired.left} left")


def _connection(name: str) -> tuple[Settings, CrmConnection]:
    settings = Settings()
    return settings, connection_of(load_rules(settings.rules_dir).crm, name)


@contextlib.contextmanager
def _sink(name: str) -> Iterator[LeadSink]:
    _, connection = _connection(name)
    with _opened(connection, Ledger()) as opened:
        yield opened


@contextlib.contextmanager
def _opened(connection: CrmConnection, ledger: Ledger) -> Iterator[LeadSink]:
    http = open_http(connection, clock=wall_clock_ms, sleep=Event().wait, metrics=Metrics())
    opened = open_sink(connection, http, ledger, wall_clock_ms)
    try:
        yield opened
    finally:
        opened.close()


def _show(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json(findings, indent=2)
    else:
        for finding in findings:
            screen().print(f"{'ok' if finding.ok else 'problem':9}{printable(finding.text)}", markup=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(ExitCode.NOT_READY)


def _deviation(item: Deviation) -> dict[str, str]:
    row = item.row
    return {
        "kind": item.kind, "object": row.object, "object_id": row.object_id, "action_id": row.action_id,
        "tenant": row.tenant, "detail": item.detail,
    }  # fmt: skip
