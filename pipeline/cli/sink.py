"""``stitchline sink jsonl FILE``: CRM actions into a file, exactly one line each.

Exit codes: 0 stopped or drained, 1 the sink or Kafka refused (the message says what to do).
"""

import signal
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from confluent_kafka import KafkaException

from connectors.crm.jsonl import JsonlSink
from connectors.crm.kafka_log import KafkaLog
from connectors.crm.runner import SinkRunner
from connectors.crm.sink import CrmSink
from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder
from pipeline.cli.connect import connected
from pipeline.cli.explained import complain, explained
from pipeline.cli.printed import print_json, print_line
from pipeline.clock import wall_clock_ms
from pipeline.settings import Settings
from pipeline.topics import ACTION_DLQ, ACTIONS

EXAMPLES = """\b
Exit codes: 0 stopped or drained; 1 the file, the schema registry or Kafka refused.
\b
Examples:
  stitchline sink jsonl leads.jsonl
  stitchline sink jsonl leads.jsonl --drain --json
"""

app = typer.Typer(no_args_is_help=True, help="Deliver CRM actions.")


@app.callback()
def _sinks() -> None:
    """Deliver CRM actions."""


@app.command(epilog=EXAMPLES)
def jsonl(
    file: Annotated[Path, typer.Argument(help="The file to append to; it also holds the position.")],
    drain: Annotated[bool, typer.Option("--drain", help="End after the actions that exist at the start.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Append every CRM action to FILE, one line each, also across kill -9 and power cuts.

    A line is {"partition": …, "offset": …, "action": {…}}.
    """
    delivered = run_sink(lambda: JsonlSink(file), _name_of(file), drain=drain)
    print_json({"delivered": delivered}) if as_json else print_line(f"{delivered} actions written to {file}")


def run_sink(open_sink: Callable[[], CrmSink], name: str, *, drain: bool) -> int:
    """Run a sink until SIGINT or SIGTERM, or until drained; how many actions it took. Exits 1 with a message if not."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    with explained(OSError, KafkaException):
        settings = connected(Settings())
        topic = ACTIONS.of(settings.topic_prefix)
        decode = Decoder(ACTIONS.value, schema_ids(settings.schema_registry_url).writer)
        sink = open_sink()
        try:
            group = f"{settings.application_id}.sink.{name}"
            dlq = ACTION_DLQ.of(settings.topic_prefix)
            log = KafkaLog(settings.kafka(), topic, sink=name, group=group, dlq=dlq)
            try:
                runner = SinkRunner(name, log, sink, decode=decode, clock=wall_clock_ms)
                runner.run(stop, drain=drain)
            finally:
                log.close()
        finally:
            sink.close()
    if runner.quarantined:
        complain(f"{runner.quarantined} records were quarantined; see: stitchline dlq ls --actions")
    return runner.delivered


def _name_of(file: Path) -> str:
    """One consumer group per file, wherever it is named from."""
    return "jsonl-" + blake2b(str(file.resolve()).encode(), digest_size=6).hexdigest()
