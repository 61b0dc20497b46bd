"""``stitchline simulate FILE…``: the whole pipeline over files, in one process, with no server.

Exit codes: 0 done, 1 a file or the rules cannot be used, 2 wrong use, 3 some records rejected or quarantined.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import typer

from connectors.sources.choose import source_for
from connectors.sources.ingest import Ingest, Totals
from connectors.sources.mapping_file import load_mapping
from connectors.sources.outgoing import EventEncoder, Outgoing
from connectors.sources.record import Position, Record, Source
from connectors.sources.rejects import Rejects
from pipeline.avro.registry import FileIds
from pipeline.avro.wire import Decoder
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained
from pipeline.cli.file_progress import FileProgress
from pipeline.cli.ingest import channel_named
from pipeline.cli.printed import print_json
from pipeline.clock import wall_clock_ms
from pipeline.event.parse import Defaults
from pipeline.event.result import Rejected
from pipeline.export.files import write_ndjson
from pipeline.kafka.dlq_headers import headers_as_facts
from pipeline.kafka.record import Record as KafkaRecord
from pipeline.query.accounts import account_view, accounts
from pipeline.query.as_of import as_of_ms, refuse_past
from pipeline.query.profiles import export_profiles
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.settings import Settings
from pipeline.simulate.simulation import Simulation
from pipeline.stream.gc_tuning import collect_rarely
from pipeline.topics import ACTIONS, CHANGES, DLQ, SEGMENTS, UPDATES, Topic

AS_OF = "Instant profiles are read at: latest, now, or ISO 8601, not before the newest event."
OUTPUTS: dict[Topic, str] = {CHANGES: "identity-changes", SEGMENTS: "segment-changes", ACTIONS: "crm-actions"}
EXAMPLES = """\b
Exit codes: 0 done; 1 a file or the rules cannot be used; 2 wrong use; 3 some records rejected or quarantined.
\b
Examples:
  stitchline simulate events.ndjson
  stitchline simulate till.csv --mapping till.yaml --rules my-rules --out result
  stitchline simulate events.ndjson --clock wall --json
"""

app = typer.Typer()


class _Line:
    """An output topic to an NDJSON file, decoded."""

    def __init__(self, folder: Path, topic: Topic, name: str) -> None:
        self._file: IO[bytes] = (folder / f"{name}.ndjson").open("wb")
        self._topic = topic
        self._decode: Callable[[KafkaRecord], Any] = _quarantined
        if topic is not DLQ:
            decode = Decoder(topic.value)
            self._decode = lambda record: decode(record.value())
        self.count = 0

    def write(self, simulation: Simulation) -> None:
        for record in simulation.take(self._topic):
            self._file.write(msgspec.json.encode(self._decode(record)) + b"\n")
            self.count += 1

    def close(self) -> None:
        self._file.close()


class _Run:
    """Stands where Kafka stands in an ingest: a chunk goes through the stages when it is committed."""

    def __init__(self, simulation: Simulation, folder: Path) -> None:
        self._simulation = simulation
        self.lines = {name: _Line(folder, topic, name) for topic, name in {**OUTPUTS, DLQ: "dlq"}.items()}

    def add(self, record: Outgoing) -> None:
        self._simulation.feed(record.topic, record.key, record.value)

    def begin_file(self, *, is_last: bool) -> None:
        """Files are in no order, so with the clock "stream" nothing is decided before the last one has begun."""
        self._simulation.begin_source(more=not is_last)

    def commit(self, position: Position) -> None:  # noqa: ARG002 - nothing to resume
        self._simulation.process()
        self._write()

    def settle(self) -> None:
        self._simulation.settle()

    def advance_time(self, moment_ms: int) -> None:
        """Everything that falls due up to the moment profiles are read at, or else up to the newest event."""
        self._simulation.advance(moment_ms or self._simulation.newest_ms())
        self._write()

    def _write(self) -> None:
        self._simulation.take(UPDATES)  # the profiles are written at the end, as they are then
        for line in self.lines.values():
            line.write(self._simulation)

    def close(self) -> None:
        for line in self.lines.values():
            line.close()


class _Watch:
    """Progress of one file."""

    def __init__(self, path: Path, source: Source, rejects: Rejects, progress: FileProgress) -> None:
        self._path, self._source, self._rejects, self._progress = path, source, rejects, progress
        progress.begin(path.name, source.size_bytes)

    def rejected(self, record: Record, why: Rejected) -> None:
        self._rejects.report(self._path, record, why)

    def about_to_commit(self) -> None:
        self._rejects.flush()

    def committed(self, position: Position, totals: Totals) -> None:  # noqa: ARG002 - nothing to resume
        self._progress.show(self._source.read_bytes, totals.delivered, totals.rejects)


@app.command("simulate", epilog=EXAMPLES)
def simulate(
    files: Annotated[list[Path], typer.Argument(help="NDJSON, CSV, Avro, Parquet or Arrow; gzip is decompressed.")],
    *,
    rules: Annotated[Path | None, typer.Option(help="Directory of rules files. Default: the ones in force.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; files in it are overwritten.")] = Path("simulated"),
    mapping: Annotated[Path | None, typer.Option(help="YAML file that maps a table's columns to fields.")] = None,
    channel: Annotated[str | None, typer.Option(help="Channel of events that name none.")] = None,
    tenant: Annotated[str, typer.Option(help="Tenant of events that name none.")] = "default",
    clock: Annotated[str, typer.Option(help="stream: the time of the newest event; wall: the wall clock.")] = "stream",
    as_of: Annotated[str, typer.Option(help=AS_OF)] = "latest",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Run files of events through all stages, exactly as workers do, and write the results.

    Writes profiles, accounts, identity-changes, segment-changes, crm-actions, dlq and rejects as NDJSON files.
    """
    if clock not in {"stream", "wall"}:
        message = "write stream or wall"
        raise typer.BadParameter(message, param_hint="--clock")
    collect_rarely()
    with explained(OSError):
        counts = _run(files, rules, out, mapping, channel_named(channel), tenant, clock, as_of)
    print_json({"out": str(out), **counts}) if as_json else _summary(out, counts)
    if counts["dlq"] or counts["rejects"]:
        raise typer.Exit(ExitCode.SOME_REJECTED)


def _run(  # noqa: PLR0917 - the command's options
    files: list[Path], rules_dir: Path | None, out: Path, mapping: Path | None, channel: Any, tenant: str, clock: str,
    as_of: str,
) -> dict[str, int]:  # fmt: skip
    _clear(out)
    try:
        return _simulated(files, rules_dir, out, mapping, channel, tenant, clock, as_of)
    except BaseException:
        _clear(out)
        raise


def _clear(out: Path) -> None:
    """Remove results: those of an earlier run must not pass for those of one that failed."""
    for name in (*OUTPUTS.values(), "dlq", "rejects", "profiles", "accounts"):
        (out / f"{name}.ndjson").unlink(missing_ok=True)


def _simulated(  # noqa: PLR0917 - the command's options
    files: list[Path], rules_dir: Path | None, out: Path, mapping: Path | None, channel: Any, tenant: str, clock: str,
    as_of: str,
) -> dict[str, int]:  # fmt: skip
    settings = Settings().model_copy(update={"clock": clock})
    rules = load_rules(rules_dir or settings.rules_dir)
    moment_ms = as_of_ms(as_of, wall_clock_ms())
    known = load_mapping(mapping, rules.identifier_types, rules.intake.amount_fields) if mapping else None
    out.mkdir(parents=True, exist_ok=True)
    defaults = Defaults(tenant=tenant, source="", channel=channel)
    encode = EventEncoder(rules.intake, rules.identifiers, FileIds(), settings.topic_prefix, defaults)
    simulation = Simulation(settings, rules, wall_clock_ms)
    totals: Counter[str] = Counter()
    with FileProgress() as progress, closing(Rejects(progress.say, out / "rejects.ndjson")) as rejects:
        with closing(_Run(simulation, out)) as run:
            for number, path in enumerate(files, 1):
                run.begin_file(is_last=number == len(files))
                source = source_for(path, known)
                job = Ingest(encode, run, path.name, _Watch(path, source, rejects, progress))
                job.run(source, Position(), lambda: False)
                totals["events"] += job.totals.delivered
            run.settle()
            refuse_past(as_of, simulation.newest_ms())
            run.advance_time(moment_ms)
            totals.update({name: line.count for name, line in run.lines.items()})
        totals["rejects"] = rejects.count
    totals["profiles"] = _write_profiles(simulation, rules, out / "profiles.ndjson", moment_ms)
    with (out / "accounts.ndjson").open("wb") as file:
        totals["accounts"] = write_ndjson(file, map(account_view, accounts(simulation.profiles())))
    return {"rejects": 0, **totals}


def _write_profiles(simulation: Simulation, rules: Rules, path: Path, moment_ms: int) -> int:
    """In the bytes of ``profile export``, so that the two files can be compared."""
    with path.open("wb") as file:
        return write_ndjson(file, export_profiles(simulation.profiles(), compiled(rules), moment_ms))


def _quarantined(record: KafkaRecord) -> dict[str, Any]:
    return {
        **headers_as_facts(record.headers()),
        "key": (record.key() or b"").decode(errors="replace"),
        "value_base64": b64encode(record.value() or b"").decode(),
    }


def _summary(out: Path, counts: dict[str, int]) -> str:
    listed = ", ".join(f"{counts[name]} {name}" for name in ("profiles", *OUTPUTS.values(), "dlq", "rejects"))
    return f"{counts['events']} events: {listed} in {out}/"
