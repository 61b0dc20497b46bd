"""``stitchline dlq ls | show | replay | resume``: what was quarantined, why, and back again.

Exit codes: 0 done, 1 Kafka or the registry refused (the message says what to do), 2 wrong use, 4 no such record.
"""

import os
import re
from base64 import b64encode
from typing import Annotated, Any

import msgspec
import typer
from confluent_kafka import KafkaException, Message

from pipeline.avro.registry import schema_ids
from pipeline.avro.wire import Decoder, Undecodable
from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.dlq_screen import print_listing, print_record
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.control.replay import SOURCES, Replay
from pipeline.event.reason import Reason
from pipeline.kafka.reading import Reading, partitions_of
from pipeline.local.home_lock import holder
from pipeline.query.quarantine import Entry, entry_of, headers_of, listing
from pipeline.settings import Settings
from pipeline.stream.supervisor import RESUME_SIGNAL
from pipeline.topics import ACTION_DLQ, DLQ, Topic

LS_EXAMPLES = """\b
Exit codes: 0 listed; 1 Kafka refused; 2 not a reason.
\b
Examples:
  stitchline dlq ls
  stitchline dlq ls --reason undecodable --newest 100 --json
  stitchline dlq ls --actions
"""
SHOW_EXAMPLES = """\b
Exit codes: 0 shown; 1 Kafka or the registry refused; 2 not a place; 4 no such record, or no longer.
\b
Examples:
  stitchline dlq show 3:1042
  stitchline dlq show 3:1042 --json
"""
REPLAY_EXAMPLES = """\b
Exit codes: 0 done (run it again after a failure: it continues where it stopped); 1 Kafka refused; 2 not a reason.
\b
Examples:
  stitchline dlq replay --dry-run
  stitchline dlq replay --reason undecodable
  stitchline dlq replay --actions --reason sink_refused
"""

RESUME_EXAMPLES = """\b
Exit codes: 0 the workers were signalled; 6 no `stitchline up` runs for this home.
\b
Examples:
  stitchline dlq resume
  kill -USR1 "$(pgrep -f 'stitchline worker')"   # workers that run without `stitchline up`
"""

OnlyReason = Annotated[str, typer.Option("--reason", help="Records of this reason only.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OfActions = Annotated[bool, typer.Option("--actions", help="CRM actions that a sink could not deliver, not events.")]

app = typer.Typer(
    no_args_is_help=True,
    help="List, show and replay quarantined records, kept byte by byte with the reason.",
)


@app.command(epilog=LS_EXAMPLES)
def ls(
    reason: OnlyReason = "",
    newest: Annotated[int, typer.Option(min=0, help="How many of the newest to list.")] = 20,
    actions: OfActions = False,
    as_json: Json = False,
) -> None:
    """Count quarantined records by reason, stage and topic, and list the newest. Prints no bytes."""
    _check(reason)
    with explained(OSError, KafkaException), Bars() as bars:
        settings = connected(Settings())
        topic = _dlq(actions).of(settings.topic_prefix)
        reading = Reading(
            settings.kafka(), topic, range(partitions_of(settings.kafka(), topic)), progress=bars.reading("reading")
        )
        entries = (entry_of(message) for batch in reading.batches() for message in batch)
        listed = listing((entry for entry in entries if reason in ("", entry.reason)), newest)
    if as_json:
        print_json(listed, indent=2)
    else:
        print_listing(listed)


@app.command(epilog=SHOW_EXAMPLES)
def show(
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As `dlq ls` prints it.")],
    actions: OfActions = False,
    as_json: Json = False,
) -> None:
    """Show one record: its facts, headers and bytes, decoded where they can be.

    The bytes may hold personal data. They are printed here and never logged.
    """
    with explained(OSError, KafkaException):
        settings = connected(Settings())
        message = _record(settings, _dlq(actions), place)
        if message is None:
            fail(f"nothing at {place}: see `stitchline dlq ls`; what is too old is deleted", ExitCode.UNKNOWN)
        entry = entry_of(message)
        decoded, fault = _decoded(settings, _dlq(actions), entry, message)
    if as_json:
        print_json(_as_json(entry, message, decoded, fault), indent=2)
    else:
        print_record(entry, message, decoded, fault)


@app.command(epilog=REPLAY_EXAMPLES)
def replay(
    reason: OnlyReason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, send nothing.")] = False,
    actions: OfActions = False,
    as_json: Json = False,
) -> None:
    """Send quarantined records back to their topics, each once, however often the command runs.

    Key, value and headers are the original ones, plus a stitchline-replayed header. A record that is still bad is
    quarantined again, as a new record. Sends only records that are in the DLQ when the command starts.
    """
    _check(reason)
    with explained(OSError, KafkaException):
        settings = connected(Settings())
        with Bars() as bars, Replay(settings, dry_run=dry_run, dlq=_dlq(actions)) as run:
            report = run.run(reason, bars.reading("replaying"))
    if as_json:
        print_json({"dry_run": dry_run, **msgspec.to_builtins(report)}, indent=2)
        return
    done = "would be replayed" if dry_run else "replayed"
    for name, count in sorted(report.replayed.items()):
        print_line(f"{count} {name} {done}")
    print_line(f"{report.replayed.total()} records {done}")
    if report.not_replayable:
        complain(f"{report.not_replayable} left: they name no topic of this deployment that this DLQ belongs to")


def _dlq(actions: bool) -> Topic:
    return ACTION_DLQ if actions else DLQ


@app.command(epilog=RESUME_EXAMPLES)
def resume() -> None:
    """Read the topics again that the loss breaker has stopped, from the first record that was not taken.

    Signals the workers of `stitchline up` in this home. A worker that is started again resumes by itself. If the
    records are still bad, the breaker stops the topic again after one window.
    """
    home = Settings().home
    pid = holder(home)
    if pid is None:
        fail(f"no workers of {home.resolve()} run under stitchline up; send SIGUSR1 to them", ExitCode.NOT_READY)
    os.kill(pid, RESUME_SIGNAL)
    print_line("the workers read all topics again")


def _check(reason: str) -> None:
    if reason and reason not in set(Reason):
        message = f"no record is quarantined for {reason!r}; `stitchline dlq ls` shows the reasons there are"
        raise typer.BadParameter(message, param_hint="--reason")


def _record(settings: Settings, dlq: Topic, place: str) -> Message | None:
    """The record at a place, or None."""
    match = re.fullmatch(r"([0-9]{1,6}):([0-9]{1,18})", place)
    if match is None:
        message = f"{place!r} is no place: write PARTITION:OFFSET, as `stitchline dlq ls` prints it"
        raise typer.BadParameter(message, param_hint="PARTITION:OFFSET")
    partition, offset = int(match[1]), int(match[2])
    topic = dlq.of(settings.topic_prefix)
    if partition >= partitions_of(settings.kafka(), topic):
        return None
    reading = Reading(settings.kafka(), topic, [partition], begin={partition: offset})
    first = next(reading.batches(), None)
    return first[0] if first and first[0].offset() == offset else None


def _decoded(settings: Settings, dlq: Topic, entry: Entry, message: Message) -> tuple[dict[str, Any] | None, str]:
    """The record as its topic's schema reads it; or None and what is wrong with it."""
    schemas = {topic.of(settings.topic_prefix): topic.value for topic in SOURCES[dlq]}
    if entry.topic not in schemas:
        return None, "its topic is not one of this deployment's topics for this DLQ"
    ids = schema_ids(settings.schema_registry_url)
    try:
        return Decoder(schemas[entry.topic], ids.writer)(message.value()), ""
    except Undecodable as error:
        return None, str(error)


def _as_json(entry: Entry, message: Message, decoded: dict[str, Any] | None, fault: str) -> dict[str, Any]:
    value, key = message.value(), message.key()
    return {
        **msgspec.to_builtins(entry),
        "headers": [[name, (header or b"").decode(errors="replace")] for name, header in headers_of(message)],
        "key_base64": b64encode(key).decode() if isinstance(key, bytes) else None,
        "value_base64": None if value is None else b64encode(value).decode(),
        "decoded": decoded,
        "not_decoded": fault,
    }
