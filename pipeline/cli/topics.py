"""``stitchline topics create | ls | copy``: the topics a deployment needs, and the way to another number of partitions.

Exit codes: 0 done, 1 Kafka refused or the topics do not fit together (the message says what to do), 6 (ls) some are
missing.
"""

from typing import Annotated

import msgspec
import typer
from confluent_kafka import KafkaException
from rich.table import Table

from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.control.copy_topics import TopicCopy
from pipeline.kafka.admin import REQUEST_SECONDS, ensure_topics
from pipeline.kafka.clients import admin
from pipeline.settings import Settings
from pipeline.topics import ALL

CREATE_EXAMPLES = """\b
Exit codes: 0 all exist; 1 Kafka refused, or topics have another number of partitions.
\b
Examples:
  stitchline topics create
  STITCHLINE_PARTITIONS=64 STITCHLINE_REPLICATION_FACTOR=3 stitchline topics create
"""
LS_EXAMPLES = """\b
Exit codes: 0 all exist; 1 Kafka refused; 6 some are missing.
\b
Examples:
  stitchline topics ls
  stitchline topics ls --json
"""

COPY_EXAMPLES = """\b
Exit codes: 0 copied; 1 Kafka refused (run it again: it continues where it stopped); 2 source and target are the same.
\b
Examples:
  STITCHLINE_TOPIC_PREFIX=cdp2 STITCHLINE_PARTITIONS=64 stitchline topics create
  STITCHLINE_TOPIC_PREFIX=cdp2 stitchline topics copy --from cdp
"""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

app = typer.Typer(no_args_is_help=True, help="The Kafka topics of this deployment.")


class TopicLine(msgspec.Struct):
    """A topic as ``ls`` tells it."""

    name: str
    partitions: int
    """0: it is not there."""
    cleanup: str
    key: str
    value: str
    """An Avro schema of ``schemas/``, msgpack, or bytes."""


@app.command(epilog=CREATE_EXAMPLES)
def create(as_json: Json = False) -> None:
    """Create missing topics, all with the same number of partitions. Workers do the same at start."""
    with explained(KafkaException):
        created = sorted(ensure_topics(connected(Settings())))
    if as_json:
        print_json({"created": created})
        return
    for name in created:
        print_line(f"created {name}")
    print_line(f"{len(created)} created, {len(ALL) - len(created)} were there")


@app.command(epilog=LS_EXAMPLES)
def ls(as_json: Json = False) -> None:
    """List the topics of this deployment: partitions, clean-up policy, keys and values."""
    with explained(KafkaException):
        lines = _lines(connected(Settings()))
    if as_json:
        print_json(lines, indent=2)
    else:
        _print(lines)
    if any(not line.partitions for line in lines):
        fail("some are missing: start a worker, or run: stitchline topics create", ExitCode.NOT_READY)


@app.command(epilog=COPY_EXAMPLES)
def copy(
    from_prefix: Annotated[str, typer.Option("--from", help="STITCHLINE_TOPIC_PREFIX of the topics to copy.")],
    as_json: Json = False,
) -> None:
    """Copy the input of another prefix's topics into this one's, each record once: to change the number of partitions.

    Copies events and operators' decisions about identities; workers derive everything else from them.
    """
    with explained(KafkaException), Bars() as bars, TopicCopy(connected(Settings()), from_prefix) as run:
        copied = run.run(bars.reading("copying"))
    if as_json:
        print_json({"copied": copied}, indent=2)
        return
    for name, count in copied.items():
        print_line(f"{count} {name} copied")


def _lines(settings: Settings) -> list[TopicLine]:
    there = admin(settings.kafka()).list_topics(timeout=REQUEST_SECONDS).topics
    lines = []
    for topic in ALL:
        name = topic.of(settings.topic_prefix)
        partitions = len(there[name].partitions) if name in there else 0
        lines.append(TopicLine(name, partitions, topic.cleanup, topic.key, topic.value))
    return lines


def _print(lines: list[TopicLine]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("topic", "partitions", "clean-up", "key", "value"):
        table.add_column(column, header_style="bold", justify="right" if column == "partitions" else "left")
    for line in lines:
        table.add_row(line.name, str(line.partitions or "missing"), line.cleanup, line.key, line.value)
    screen(markup=False).print(table)
