"""``stitchline crm pull NAME``: changes in a CRM become events of the channel crm.

Exit codes: 0 stopped or drained, 1 the rules, Kafka or the CRM refused (the message says what to do), 2 no such
connection, 3 done, but some events were quarantined.
"""

import contextlib
import signal
from threading import Event
from typing import Annotated

import msgspec
import typer
from confluent_kafka import KafkaException

from connectors.crm.connect import connection_of, open_http
from connectors.sources.crm.connect import documents_of, open_reader
from connectors.sources.crm.kafka_pull_log import KafkaPullLog
from connectors.sources.crm.memory import Memory
from connectors.sources.crm.puller import Puller
from connectors.sources.outgoing import EventEncoder
from pipeline.avro.registry import schema_ids
from pipeline.cli.connect import connected
from pipeline.cli.crm_delivery import ledger_topic
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained
from pipeline.cli.printed import print_json, print_line
from pipeline.clock import wall_clock_ms
from pipeline.event.parse import Defaults
from pipeline.obs.http import HealthServer
from pipeline.obs.http_thread import HealthThread
from pipeline.obs.log import configure
from pipeline.obs.metrics import Metrics
from pipeline.rules.crm import CrmConnection
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.settings import Settings

PULL_EXAMPLES = """\b
Exit codes: 0 stopped or drained; 1 the rules, Kafka or the CRM refused; 2 no such connection; 3 done, some events were
quarantined.
\b
Examples:
  stitchline crm pull hubspot
  stitchline crm pull hubspot --drain --json
"""


def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a connection in crm.yaml.")],
    drain: Annotated[bool, typer.Option("--drain", help="End when the CRM has no more changes now.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Read changes of contacts, deals and activities until SIGTERM or ctrl-c. A second process takes over."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    with explained(OSError, KafkaException):
        settings = Settings()
        rules = load_rules(settings.rules_dir)
        connection = connection_of(rules.crm, name)
        configure(settings.log_level)
        puller = _pull(connected(settings), rules, connection, stop, drain=drain)
    counts = puller.counts
    if as_json:
        print_json(msgspec.to_builtins(counts))
    else:
        print_line(f"{counts.changes} changes read, {counts.events} events, {counts.echoes} own writes left out")
    if counts.rejected:
        complain(f"{counts.rejected} events were quarantined; see: stitchline dlq ls")
        raise typer.Exit(ExitCode.SOME_REJECTED)


def _pull(settings: Settings, rules: Rules, connection: CrmConnection, stop: Event, *, drain: bool) -> Puller:
    metrics, memory = Metrics(), Memory(connection.name)
    defaults = Defaults(tenant=connection.back.tenant, source=connection.name, channel="crm")
    ids = schema_ids(settings.schema_registry_url)
    encode = EventEncoder(rules.intake, rules.identifiers, ids, settings.topic_prefix, defaults)
    http = open_http(connection, clock=wall_clock_ms, sleep=stop.wait, metrics=metrics)
    with contextlib.ExitStack() as stack:
        stack.callback(http.close)
        stack.callback(memory.close)
        log = KafkaPullLog(
            settings.kafka(), settings.topic_prefix, connection=connection.name,
            group=f"{settings.application_id}.pull.{connection.name}", ledger=ledger_topic(settings),
        )  # fmt: skip
        stack.callback(log.close)
        reader = open_reader(connection, http.send, wall_clock_ms, memory)
        make = documents_of(connection, rules.intake, rules.identifiers)
        puller = Puller(
            connection, log, reader, memory, make=make, encode=encode, clock=wall_clock_ms, metrics=metrics
        )  # fmt: skip
        if settings.http_port:
            pages = HealthServer(metrics, ready=puller.not_ready, host=settings.http_host, port=settings.http_port)
            stack.enter_context(HealthThread(pages))
        puller.run(stop, drain=drain)
    return puller
