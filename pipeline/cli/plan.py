"""``stitchline plan violations | infer``: the tracking plans of the collector's sources.

Exit codes: 0 done, 1 the rules, a file or Kafka stood in the way, 4 no such source.
"""

from typing import Annotated

import typer
from confluent_kafka import KafkaException
from msgspec import MsgspecError, to_builtins

from connectors.collect.infer_plan import Inferred
from connectors.collect.service import FOLDER
from connectors.collect.violation_file import FILE, Counted, ViolationFile
from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.event.avro import from_avro
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.topics import EVENTS

VIOLATIONS_EXAMPLES = """\b
Exit codes: 0 listed; 1 the file cannot be read.
\b
Examples:
  stitchline plan violations
  stitchline plan violations --source shop-web --json | jq '.violations[0]'
"""
INFER_EXAMPLES = """\b
Exit codes: 0 printed; 1 the rules have problems, or Kafka refused; 4 no such source, or no event of it.
\b
Examples:
  stitchline plan infer shop-web
  stitchline plan infer shop-web > plan.yaml   # to be put under the source in sources.yaml
"""

app = typer.Typer(no_args_is_help=True, help="Show what breaks the sources' tracking plans, and write a plan.")


@app.command(epilog=VIOLATIONS_EXAMPLES)
def violations(
    source: Annotated[str, typer.Option(metavar="NAME", help="Of this source only. Default: all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Count what broke the tracking plans by event and property, most first.

    The counts are those of the collector with the same STITCHLINE_HOME, and at most some seconds old.
    """
    with explained(OSError, MsgspecError):
        counted = [one for one in ViolationFile(Settings().home / FOLDER / FILE).read() if source in ("", one.source)]
    if as_json:
        print_json({"violations": [_row(one) for one in counted]}, indent=2)
        return
    if not counted:
        print_line("no violations; plans are declared in sources.yaml, see: stitchline plan infer --help")
    for one in counted:
        place = f"{one.violation.event} · {one.violation.property}" if one.violation.property else one.violation.event
        print_line(f"{one.count:>8}  {one.source} · {place}: {one.violation.problem}")


@app.command(epilog=INFER_EXAMPLES)
def infer(
    source: Annotated[str, typer.Argument(metavar="NAME", help="Name of the source.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document that holds the YAML.")] = False,
) -> None:
    """Print a tracking plan that all events of a source keep, from what its topic holds now."""
    with explained(OSError, KafkaException), Bars() as bars:
        settings = connected(Settings())
        declared = next((one for one in load_rules(settings.rules_dir).sources.sources if one.name == source), None)
        if declared is None:
            fail(f"there is no source {source}; see: stitchline sources ls", ExitCode.UNKNOWN)
        topic = EVENTS[declared.channel].of(settings.topic_prefix)
        decode = Decoder(EVENTS[declared.channel].value, schema_ids(settings.schema_registry_url).writer)
        places = range(partitions_of(settings.kafka(), topic))
        inferred = Inferred()
        for batch in Reading(settings.kafka(), topic, places, progress=bars.reading("reading")).batches():
            for message in batch:
                _add(inferred, decode, declared.channel, source, message.value())
    if not inferred.events:
        fail(f"{topic} holds no event of {source}", ExitCode.UNKNOWN)
    if inferred.left_out:
        complain(f"{inferred.left_out} events have too many different names, or too long ones; they are left out")
    if as_json:
        print_json({"source": source, "events": inferred.events, "yaml": inferred.as_yaml()}, indent=2)
    else:
        print_line(inferred.as_yaml().removesuffix("\n"))


def _add(inferred: Inferred, decode: Decoder, channel: str, source: str, value: bytes | None) -> None:
    """Adds the event of a record, if it is one of the source."""
    if value is None:
        return
    try:
        event = from_avro(channel, decode(value))
    except (Undecodable, ValueError):
        return  # INTAKE quarantines it
    if event.source == source:
        inferred.add(event.type, event.name, event.properties, event.traits)


def _row(one: Counted) -> dict[str, object]:
    return {"source": one.source, **to_builtins(one.violation), "count": one.count}
