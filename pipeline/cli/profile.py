"""``stitchline profile show | export``: what is known of a customer, and of all of them.

Exit codes: 0 done, 1 Kafka, a rules file or the output refused (the message says what to do), 2 wrong use, 4 unknown.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import confluent_kafka
import msgspec
import typer
from rich.console import Console

from pipeline.cli.bar import Bars
from pipeline.cli.connect import NoKafkaError, connected
from pipeline.cli.profile_screen import print_profile
from pipeline.profile.rulebook import Rulebook
from pipeline.profile.view import profile_view
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.rules.problem import RulesError
from pipeline.serve.as_of import NotAMomentError, as_of_ms
from pipeline.serve.files import FORMATS, UnknownFormatError, format_of, write_profiles
from pipeline.serve.lookup import ProfileLookup
from pipeline.serve.naming import NotAnIdentifierError
from pipeline.serve.profiles import export_profiles, profile_rows, profile_snapshot
from pipeline.serve.reading import MissingTopicError
from pipeline.settings import Settings
from pipeline.trigger.rulebook import compile_rules

FAILED, MISUSED, UNKNOWN = 1, 2, 4
CODES: dict[type[BaseException], int] = {
    NotAMomentError: MISUSED,
    NotAnIdentifierError: MISUSED,
    UnknownFormatError: MISUSED,
}
EXPECTED: tuple[type[BaseException], ...] = (
    NoKafkaError,
    RulesError,
    MissingTopicError,
    OSError,
    confluent_kafka.KafkaException,
    *CODES,
)
"""What an operator can do something about; each says what."""

SHOW_EXAMPLES = """\b
Exit codes: 0 shown; 1 Kafka or the rules refused; 2 not an identifier or not a moment; 4 unknown.
\b
Examples:
  stitchline profile show email:ada@example.org
  stitchline profile show loyalty_id:L-1077 --as-of 2026-03-01T12:00:00Z
  stitchline profile show 1a5c0f0e-5a0b-5e0e-9b58-3f4b6b9f2c11 --json
"""
EXPORT_EXAMPLES = """\b
Exit codes: 0 written; 1 Kafka, the rules or the disk refused; 2 not a format or not a moment.
\b
Examples:
  stitchline profile export profiles.ndjson
  stitchline profile export profiles.parquet --as-of latest
"""

AsOf = Annotated[
    str,
    typer.Option("--as-of", metavar="WHEN", help="now, latest (the newest event of a profile), or an ISO 8601 time."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

app = typer.Typer(no_args_is_help=True, help="What is known of customers. Prints personal data: that is its purpose.")


@app.command(epilog=SHOW_EXAMPLES)
def show(
    who: Annotated[str, typer.Argument(metavar="TYPE:VALUE|PROFILE_ID", help="Any identifier, or an id, old or new.")],
    tenant: Annotated[str, typer.Option(help="Whose customer.")] = "default",
    as_of: AsOf = "now",
    as_json: Json = False,
) -> None:
    """Show one customer: identifiers, traits, aggregates, scores with what they sum up, timeline, consent."""
    with _explained():
        at_ms, settings, rules = as_of_ms(as_of, _now_ms()), connected(Settings()), load_rules(Settings().rules_dir)
        with Bars() as bars:
            found = ProfileLookup(settings, rules, bars.reading("reading")).find(who, tenant)
        if found is None:
            typer.echo(f"{who} is unknown: no event of this customer has been processed (tenant {tenant})", err=True)
            raise typer.Exit(UNKNOWN)
        view = profile_view(*found, _compiled(rules), at_ms)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(view), indent=2))
    else:
        print_profile(Console(highlight=False), view, who)


@app.command(epilog=EXPORT_EXAMPLES)
def export(
    file: Annotated[Path, typer.Argument(help="Written beside its place and put there when it is whole.")],
    file_format: Annotated[
        str, typer.Option("--format", metavar="ndjson|parquet", help="Default: what the file's suffix says.")
    ] = "",
    as_of: AsOf = "now",
    as_json: Json = False,
) -> None:
    """Write every current profile, in the order of their ids. Exports of equal profiles are equal byte for byte.

    Profiles that were merged into another are not written. While events are being processed every profile is as of some
    moment of the export; wait until the workers are idle for all of them to be of one.
    """
    with _explained():
        if file_format not in ("", *FORMATS.values()):
            message = f"--format {file_format}: write ndjson or parquet"
            raise UnknownFormatError(message)
        chosen, at_ms, settings = file_format or format_of(file), as_of_ms(as_of, _now_ms()), connected(Settings())
        rules = _compiled(load_rules(settings.rules_dir))
        with Bars() as bars:
            snapshot = profile_snapshot(settings, bars.reading("reading"))
            views = export_profiles(profile_rows(snapshot.rows), rules, at_ms)
            count = write_profiles(file, views, chosen, bars.counting("writing", len(snapshot.rows)))
    if snapshot.undecided:
        typer.echo(UNDECIDED, err=True)
    if as_json:
        report = {"profiles": count, "file": str(file), "format": chosen, "complete": not snapshot.undecided}
        typer.echo(msgspec.json.encode(report))
    else:
        typer.echo(f"{count} profiles written to {file}")


UNDECIDED = "note: a transaction is still open (a worker was killed?); what it would add is not in the file"


def _compiled(rules: Rules) -> Rulebook:
    return compile_rules(rules.aggregates, rules.scores, rules.triggers)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """An error that the operator can mend is one line; any other keeps its traceback."""
    try:
        yield
    except EXPECTED as error:
        typer.echo(f"stitchline: {error}", err=True)
        raise typer.Exit(CODES.get(type(error), FAILED)) from error
