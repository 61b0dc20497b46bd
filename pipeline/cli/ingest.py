"""``stitchline ingest FILE…``: files of events onto the event topics, each record exactly once.

Exit codes: 0 every record delivered, 1 stopped by Kafka or a wrong file (run again to go on), 3 some records rejected,
130 interrupted (run again to go on).
"""

import signal
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from confluent_kafka import KafkaException

from connectors.sources.choose import source_for
from connectors.sources.delivery import Delivery
from connectors.sources.identity import KnownFile, Remembered
from connectors.sources.ingest import Ingest, Totals
from connectors.sources.mapping_file import load_mapping
from connectors.sources.outgoing import EventEncoder
from connectors.sources.record import Position, Record
from connectors.sources.rejects import Rejects
from pipeline.avro.registry import schema_ids
from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained
from pipeline.cli.file_progress import FileProgress
from pipeline.cli.printed import print_json, print_line
from pipeline.event.model import CHANNELS, Channel
from pipeline.event.parse import Defaults
from pipeline.event.result import Rejected
from pipeline.kafka.admin import ensure_topics
from pipeline.kafka.clients import admin
from pipeline.rules.load import load_rules
from pipeline.settings import Settings
from pipeline.topics import EVENTS

REQUEST_SECONDS = 30.0

EXAMPLES = """\b
Exit codes: 0 all delivered; 1 stopped (run again to go on); 3 some records rejected; 130 interrupted.
\b
Examples:
  stitchline ingest events.ndjson.gz
  stitchline ingest clicks-*.ndjson --channel web --rejects rejects.ndjson
  stitchline ingest till.csv --mapping till.yaml
\b
A mapping says which column becomes what:
  timestamp: {column: sold_at, format: "%d.%m.%Y %H:%M", timezone: Europe/Berlin}
  identifiers: {loyalty_id: card, email: mail}
  message_id: receipt
  decimal: ","
  constants: {channel: pos, type: track, event: order_completed}
  columns:
    total: {to: properties.total, as: money}
    shop: properties.shop
"""

app = typer.Typer()


class FileReport(msgspec.Struct):
    """What ``--json`` prints per file."""

    file: str
    delivered: int
    rejected: dict[str, int]
    resumed_after: int
    """Records that an earlier run had dealt with."""
    changed: bool
    """Whether the file was delivered before and is not what it was then."""
    unchanged: int
    """Records of a changed file that were delivered before."""


class Watch:
    """Tells one file's story: rejects to their file, the position to its file, progress to the screen."""

    def __init__(
        self, path: Path, source: Remembered, kept: KnownFile, rejects: Rejects, progress: FileProgress
    ) -> None:
        self._path, self._source, self._kept = path, source, kept
        self._rejects, self._progress = rejects, progress
        progress.begin(path.name, source.size_bytes)

    def rejected(self, record: Record, why: Rejected) -> None:
        """One line and one record of the rejects file."""
        self._rejects.report(self._path, record, why)

    def about_to_commit(self) -> None:
        """Rejects go first."""
        self._rejects.flush()

    def committed(self, position: Position, totals: Totals) -> None:
        """Kafka has it; keep the position for longer than Kafka does."""
        self._kept.save(position, self._source.take_noted())
        self._progress.show(self._source.read_bytes, totals.delivered, totals.rejects)


class Job:
    """The files of one command, with what they share."""

    def __init__(self, settings: Settings, defaults: Defaults, mapping: Path | None, *, restart: bool) -> None:
        self._settings = settings
        self._restart = restart
        rules = load_rules(settings.rules_dir)
        known = rules.identifier_types, rules.intake.amount_fields
        self._mapping = load_mapping(mapping, *known) if mapping else None
        ids = schema_ids(settings.schema_registry_url)
        self._encode = EventEncoder(rules.intake, rules.identifiers, ids, settings.topic_prefix, defaults)
        ensure_topics(settings)
        cluster = admin(settings.kafka()).list_topics(timeout=REQUEST_SECONDS).cluster_id
        self._reading = repr((cluster, settings.topic_prefix, defaults, self._mapping))
        self.interrupted = False

    def carry(self, path: Path, rejects: Rejects, progress: FileProgress) -> FileReport:
        """Deliver one file from where it was left."""
        kept = KnownFile(self._settings.home / "ingest", path, self._reading)
        source = Remembered(source_for(path, self._mapping))
        if kept.state == "changed":
            progress.say(f"{path}: has changed since it was delivered; what is new in it is delivered now")
        watch = Watch(path, source, kept, rejects, progress)
        place = EVENTS["web"].of(self._settings.topic_prefix)
        with Delivery(self._settings.kafka(), self._name(kept), place) as delivery:
            start = Position() if self._restart else max(delivery.position(), kept.position, key=lambda at: at.number)
            if start == Position():
                kept.start_over()
            earlier = None if self._restart else kept.earlier
            run = Ingest(self._encode, delivery, path.name, watch, earlier)
            run.run(source, start, lambda: self.interrupted)
        counts = {reason.value: count for reason, count in sorted(run.totals.rejected.items())}
        changed = kept.state == "changed"
        return FileReport(str(path), run.totals.delivered, counts, start.number, changed, run.totals.unchanged)

    def _name(self, kept: KnownFile) -> str:
        return f"{self._settings.application_id}.ingest.{kept.identity}"


@app.command("ingest", epilog=EXAMPLES)
def ingest(
    files: Annotated[list[Path], typer.Argument(help="NDJSON, CSV, Avro, Parquet or Arrow; gzip is decompressed.")],
    *,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that maps a table's columns to fields.")] = None,
    channel: Annotated[
        str | None, typer.Option(help="Channel of events that name none: " + ", ".join(CHANNELS))
    ] = None,
    tenant: Annotated[str, typer.Option(help="Tenant of events that name none.")] = "default",
    source: Annotated[str, typer.Option(help="Source of events that name none; empty: the channel.")] = "",
    rejects: Annotated[Path | None, typer.Option(help="NDJSON file to append rejected records to.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Deliver files again from their start.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Deliver files of events to Kafka, each record exactly once, also if it is killed and run again.

    A file is identified by all of its bytes and the options it is read with, not by its name. Records of an earlier run
    are not delivered again without --restart. A file that grew is continued; of a changed file, only new records are
    delivered. Events without a messageId get one made of file name, record number and content. Bad records are reported
    and left out.
    """
    defaults = Defaults(tenant=tenant, source=source, channel=channel_named(channel))
    with explained(OSError, KafkaException):
        reports, interrupted = _run(files, defaults, mapping, rejects, restart=restart)
    _summarise(reports, as_json=as_json)
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if any(report.rejected for report in reports):
        raise typer.Exit(ExitCode.SOME_REJECTED)


def _run(
    files: list[Path], defaults: Defaults, mapping: Path | None, rejects: Path | None, *, restart: bool
) -> tuple[list[FileReport], bool]:
    job = Job(connected(Settings()), defaults, mapping, restart=restart)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: setattr(job, "interrupted", True))
    with FileProgress() as progress, closing(Rejects(progress.say, rejects)) as reporting:
        reports = [job.carry(path, reporting, progress) for path in files if not job.interrupted]
    return reports, job.interrupted


def channel_named(name: str | None) -> Channel | None:
    """The channel an option names, or none where it is left out; a wrong name ends the command with a message."""
    if name is not None and name not in CHANNELS:
        message = f"write one of {', '.join(CHANNELS)}"
        raise typer.BadParameter(message, param_hint="--channel")
    return next((channel for channel in CHANNELS if channel == name), None)


def _summarise(reports: list[FileReport], *, as_json: bool) -> None:
    if as_json:
        print_json({"files": reports})
        return
    for report in reports:
        resumed = f", went on after record {report.resumed_after}" if report.resumed_after else ""
        bad = "".join(f", {count} {reason}" for reason, count in report.rejected.items())
        changed = f", the file has changed ({report.unchanged} records as before)" if report.changed else ""
        print_line(f"{report.file}: {report.delivered} delivered{bad}{resumed}{changed}")
