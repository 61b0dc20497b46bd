"""``stitchline profile show | timeline | export``: what is known of a customer, and of all of them.

Exit codes: 0 done, 1 Kafka, a rules file or the output refused (the message says what to do), 2 wrong use, 4 unknown.
"""

from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka import KafkaException

from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, explained, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.profile_screen import print_profile, print_timeline
from pipeline.cli.rules_in_force import note_other_rules
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.errors import MisuseError
from pipeline.export.files import FORMATS, UnknownFormatError, format_of, write_profiles
from pipeline.printable import printable
from pipeline.profile.fold import timeline_page
from pipeline.profile.row import ProfileRow
from pipeline.profile.timeline import TIMELINE_ENTRIES
from pipeline.profile.view import entry_view, profile_view
from pipeline.query.as_of import as_of_ms, refuse_past_of
from pipeline.query.lookup import ProfileLookup
from pipeline.query.profiles import RulesWatch, decided_by_others, export_profiles, profile_rows, profile_snapshot
from pipeline.rules.compiled import compiled
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.settings import Settings


class NotACursorError(MisuseError, ValueError):
    """``--before`` was given something else than what a page ended with; the message says what that looks like."""


SHOW_EXAMPLES = """\b
Exit codes: 0 shown; 1 Kafka or the rules refused; 2 not an identifier, not a moment, or one before the newest
event; 4 unknown.
\b
Examples:
  stitchline profile show email:ada@example.org
  stitchline profile show loyalty_id:L-1077 --as-of latest
  stitchline profile show 1a5c0f0e-5a0b-5e0e-9b58-3f4b6b9f2c11 --json
"""
TIMELINE_EXAMPLES = """\b
Exit codes: 0 shown; 1 Kafka or the rules refused; 2 not an identifier or not a cursor; 4 unknown.
\b
Examples:
  stitchline profile timeline email:ada@example.org
  stitchline profile timeline email:ada@example.org --limit 5 --before 1772366400000:web/m1
  stitchline profile timeline loyalty_id:L-1077 --json
"""
EXPORT_EXAMPLES = """\b
Exit codes: 0 written; 1 Kafka, the rules or the disk refused; 2 not a format, not a moment, or one before the
newest event.
\b
Examples:
  stitchline profile export profiles.ndjson
  stitchline profile export profiles.parquet --as-of latest
"""

CustomerArgument = Annotated[
    str, typer.Argument(metavar="TYPE:VALUE|PROFILE_ID", help="Any identifier, or an id, old or new.")
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="WHEN",
        help="now, latest (the newest event of a profile), or an ISO 8601 time, not before the newest event.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

app = typer.Typer(no_args_is_help=True, help="Show and export customer profiles. Prints personal data.")


@app.command(epilog=SHOW_EXAMPLES)
def show(
    identifier: CustomerArgument,
    tenant: Annotated[str, typer.Option(help="Tenant of the customer.")] = "default",
    as_of: AsOf = "now",
    as_json: Json = False,
) -> None:
    """Show one customer: identifiers, traits, aggregates, scores with what they sum up, timeline, consent."""
    with explained(OSError, KafkaException):
        at_ms, settings = as_of_ms(as_of, wall_clock_ms()), connected(Settings())
        rules = load_rules(Settings().rules_dir)
        noted = note_other_rules(settings, rules)
        book = compiled(rules)
        profile_id, row = customer(settings, rules, identifier, tenant)
        refuse_past_of(as_of, [(profile_id, row)])
        view = profile_view(profile_id, row, book, at_ms)
    if decided_by_others(row, book) and not noted:
        complain(OTHER_RULES)
    if as_json:
        print_json(view, indent=2)
    else:
        spans = {reader.name for reader in book.readers if reader.is_span}
        moments = {reader.name for reader in book.readers if reader.is_moment}
        print_profile(screen(), view, identifier, spans, moments)


@app.command(epilog=TIMELINE_EXAMPLES)
def timeline(
    identifier: CustomerArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Entries of a page.")] = TIMELINE_ENTRIES,
    before: Annotated[
        str, typer.Option("--before", metavar="CURSOR", help="Cursor at the end of the previous page.")
    ] = "",
    tenant: Annotated[str, typer.Option(help="Tenant of the customer.")] = "default",
    as_json: Json = False,
) -> None:
    """Show a customer's touches and CRM activities side by side, newest first.

    The newest 20 touches and the newest 20 activities of every anchor are kept.
    """
    with explained(OSError, KafkaException):
        settings, rules = connected(Settings()), load_rules(Settings().rules_dir)
        profile_id, row = customer(settings, rules, identifier, tenant)
        try:
            page = timeline_page(row.ledgers(), limit, before)
        except ValueError as error:
            raise NotACursorError(str(error)) from error
    entries = [entry_view(entry) for entry in page.entries]
    if as_json:
        shown = {"profile_id": profile_id, "timeline": entries, "before": page.before or None}
        print_json(shown, indent=2)
        return
    print_timeline(screen(), entries)
    if page.before:
        print_line(f"\nolder: --before {printable(page.before)}")


@app.command(epilog=EXPORT_EXAMPLES)
def export(
    file: Annotated[Path, typer.Argument(help="Output file; replaced only when complete.")],
    file_format: Annotated[
        str, typer.Option("--format", metavar="ndjson|parquet", help="Default: by the file's suffix.")
    ] = "",
    as_of: AsOf = "now",
    as_json: Json = False,
) -> None:
    """Write every current profile, sorted by id. Exports of equal profiles are equal byte for byte.

    Leaves out profiles that were merged into another. While workers process events, each profile has the state of some
    moment of the export. For a consistent export, wait until the workers are idle.
    """
    with explained(OSError, KafkaException):
        if file_format not in ("", *FORMATS.values()):
            message = f"--format {file_format}: write ndjson or parquet"
            raise UnknownFormatError(message)
        chosen = file_format or format_of(file)
        at_ms, settings = as_of_ms(as_of, wall_clock_ms()), connected(Settings())
        rules = load_rules(settings.rules_dir)
        noted = note_other_rules(settings, rules)
        with Bars() as bars:
            snapshot = profile_snapshot(settings, bars.reading("reading"))
            refuse_past_of(as_of, profile_rows(snapshot.rows))
            book = compiled(rules)
            watch = RulesWatch(book)
            views = export_profiles(watch.watch(profile_rows(snapshot.rows)), book, at_ms)
            count = write_profiles(file, views, chosen, bars.counting("writing", len(snapshot.rows)))
    if snapshot.undecided:
        complain(UNDECIDED)
    if watch.others and not noted:
        complain(f"{OTHER_RULES} ({watch.others} profiles)")
    if as_json:
        report = {"profiles": count, "file": str(file), "format": chosen, "complete": not snapshot.undecided}
        print_json(report)
    else:
        print_line(f"{count} profiles written to {file}")


UNDECIDED = "note: a transaction is still open (a worker was killed?); what it would add is not in the file"


OTHER_RULES = (
    "note: the last decisions were made by other rules than those in force here; scores and segments are shown by the "
    "rules here, over events booked by the others"
)


def customer(settings: Settings, rules: Rules, identifier: str, tenant: str) -> tuple[str, ProfileRow]:
    """The current profile of an identifier or id; says so and exits where there is none."""
    with Bars() as bars:
        profile = ProfileLookup(settings, rules, bars.reading("reading")).find(identifier, tenant)
    if profile is None:
        fail(
            f"{identifier} is unknown: no event of this customer has been processed (tenant {tenant})", ExitCode.UNKNOWN
        )
    return profile
