"""``stitchline segment dry-run | export``: the members of a segment, before it is published and after.

Exit codes: 0 done, 1 Kafka, a rules file or the output refused (the message says what to do), 2 wrong use: no such
segment, a condition that means nothing, not a format or not a moment.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException
from rich.console import Console
from rich.markup import escape

from pipeline.cli.bar import Bars
from pipeline.cli.explained import complain, explained
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.profile import UNDECIDED, AsOf, Json
from pipeline.cli.rules_in_force import connected_under
from pipeline.cli.screen import screen
from pipeline.cli.tables import titled_table
from pipeline.clock import wall_clock_ms
from pipeline.condition.advice import did_you_mean
from pipeline.condition.errors import ConditionError
from pipeline.errors import MisuseError
from pipeline.export.files import UnknownFormatError, format_of
from pipeline.export.members import MEMBER_FORMATS, write_members
from pipeline.printable import printable_values
from pipeline.query.ad_hoc import AD_HOC, segments_with
from pipeline.query.as_of import as_of_ms, refuse_past_of
from pipeline.query.members import COLUMNS, Census, census, current_rows, members
from pipeline.query.profiles import profile_rows, profile_snapshot
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.segment.rules import SegmentRule
from pipeline.segment.segments import Segments
from pipeline.settings import Settings

DRY_RUN_EXAMPLES = """\b
Exit codes: 0 counted; 1 Kafka or the rules refused; 2 no such segment, an invalid condition, not a moment,
or one before the newest event.
\b
Examples:
  stitchline segment dry-run
  stitchline segment dry-run big_spenders --sample 20
  stitchline segment dry-run --when 'orders over 90 d >= 3 and not segment.dormant'
  stitchline segment dry-run --rules my-rules --as-of latest --json
"""
EXPORT_EXAMPLES = f"""\b
Columns: {", ".join(COLUMNS)}.
identifiers is a list of type:value, in CSV as JSON text; unknown values are null, in CSV empty.
\b
Exit codes: 0 written; 1 Kafka, the rules or the disk refused; 2 no such segment, not a format, not a moment, or one
before the newest event.
\b
Examples:
  stitchline segment export big_spenders spenders.csv
  stitchline segment export dormant dormant.parquet --as-of latest
  stitchline segment export engaged engaged.ndjson --rules my-rules
"""


class NoSegmentError(MisuseError, ValueError):
    """There is no segment of that name. Operator action: name one of the message."""


class WrongConditionError(MisuseError):
    """The condition of the command line cannot be used. The message points at the place."""


RulesDir = Annotated[
    Path | None, typer.Option("--rules", metavar="DIR", help="Directory of rules files. Default: the ones in force.")
]

app = typer.Typer(no_args_is_help=True, help="Count and export members of segments. Prints personal data.")


@app.command("dry-run", epilog=DRY_RUN_EXAMPLES)
def dry_run(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A segment of the rules; none: all of them.")] = "",
    *,
    when: Annotated[str, typer.Option("--when", metavar="CONDITION", help="Try this condition instead.")] = "",
    rules_dir: RulesDir = None,
    as_of: AsOf = "now",
    sample: Annotated[int, typer.Option(min=0, help="Number of members to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Count the members of segments, or of a new condition, and show some.

    Reads the stored profiles; changes nothing. The sample is pseudo-random and the same in every run.
    """
    if name and when:
        message = "name a segment or write a condition, not both"
        raise typer.BadParameter(message, param_hint="--when")
    with explained(OSError, KafkaException):
        moment_ms, settings = as_of_ms(as_of, wall_clock_ms()), Settings()
        rules = load_rules(rules_dir or settings.rules_dir)
        chosen, segments = _selected(rules, name, when)
        settings = connected_under(settings, rules, rules_dir)
        with Bars() as bars:
            snapshot = profile_snapshot(settings, bars.reading("reading"))
            refuse_past_of(as_of, profile_rows(snapshot.rows))
            rows = current_rows(profile_rows(snapshot.rows), bars.counting("evaluating", len(snapshot.rows)))
            counted = census(rows, segments, [rule.name for rule in chosen], moment_ms, sample)
    if snapshot.undecided:
        complain(UNDECIDED)
    if as_json:
        print_json(_report(chosen, counted, not snapshot.undecided), indent=2)
    else:
        _print(screen(), chosen, counted)


@app.command(epilog=EXPORT_EXAMPLES)
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A segment of the rules.")],
    file: Annotated[Path, typer.Argument(help="Output file; replaced only when complete.")],
    *,
    file_format: Annotated[
        str, typer.Option("--format", metavar="csv|ndjson|parquet", help="Default: by the file's suffix.")
    ] = "",
    safe: Annotated[
        bool,
        typer.Option("--safe/--no-safe", help="In CSV, put an apostrophe before formulas."),
    ] = True,
    rules_dir: RulesDir = None,
    as_of: AsOf = "now",
    as_json: Json = False,
) -> None:
    """Write the members of a segment with their contact data, sorted by profile id.

    Consent is not checked. Add it to the segment's condition, as in: consent.marketing/email = true.
    """
    with explained(OSError, KafkaException):
        if file_format not in ("", *MEMBER_FORMATS.values()):
            message = f"--format {file_format}: write csv, ndjson or parquet"
            raise UnknownFormatError(message)
        chosen = file_format or format_of(file, MEMBER_FORMATS)
        moment_ms, settings = as_of_ms(as_of, wall_clock_ms()), Settings()
        rules = load_rules(rules_dir or settings.rules_dir)
        _, segments = _selected(rules, name, "")
        settings = connected_under(settings, rules, rules_dir)
        with Bars() as bars:
            snapshot = profile_snapshot(settings, bars.reading("reading"))
            refuse_past_of(as_of, profile_rows(snapshot.rows))
            rows = current_rows(profile_rows(snapshot.rows), bars.counting("writing", len(snapshot.rows)))
            count = write_members(file, members(rows, segments, name, moment_ms), chosen, safe=safe)
    if snapshot.undecided:
        complain(UNDECIDED)
    if as_json:
        report = {"segment": name, "members": count, "file": str(file), "format": chosen}
        print_json({**report, "complete": not snapshot.undecided})
    else:
        print_line(f"{count} members of {name} written to {file}")


def _selected(rules: Rules, name: str, when: str) -> tuple[list[SegmentRule], Segments]:
    """Returns the selected segment rules, and all segments compiled.

    Raises:
        NoSegmentError: there is none of that name.
        WrongConditionError: the condition of the command line cannot be used.
    """
    declared = rules.segments.segments
    known = [rule.name for rule in declared]
    if name and name not in known:
        message = f"there is no segment {name}; {did_you_mean(name, known)}"
        raise NoSegmentError(message)
    try:
        segments = segments_with(rules, when)
        ad_hoc = [SegmentRule(name=AD_HOC, when=when)] if when else []
        return ad_hoc or [rule for rule in declared if name in ("", rule.name)], segments
    except ConditionError as error:
        message = f"the condition cannot be used\n{error.with_caret(when)}"
        raise WrongConditionError(message) from error


def _report(chosen: list[SegmentRule], counted: Census, complete: bool) -> dict[str, Any]:
    segments = [
        {
            "name": rule.name,
            "when": rule.when,
            "description": rule.description,
            "members": counted.counts[rule.name],
            "share": counted.counts[rule.name] / counted.profiles if counted.profiles else None,
            "sample": counted.samples[rule.name],
        }
        for rule in chosen
    ]
    return {"profiles": counted.profiles, "complete": complete, "segments": segments}


def _print(console: Console, chosen: list[SegmentRule], counted: Census) -> None:
    counts = titled_table(f"Of {counted.profiles} customers", "segment", "members", "share", "when")
    counts.columns[1].justify = counts.columns[2].justify = "right"
    for rule in chosen:
        count = counted.counts[rule.name]
        share = f"{100 * count / counted.profiles:.1f} %" if counted.profiles else "-"
        counts.add_row(escape(rule.name), str(count), share, escape(" ".join(rule.when.split())))
    console.print(counts)
    if len(chosen) != 1 or not counted.samples[chosen[0].name]:
        return
    members_table = titled_table("Some of them", "profile", "reached at", "identifiers")
    for member in printable_values(counted.samples[chosen[0].name]):
        identifiers = escape(" ".join(member["identifiers"]))
        members_table.add_row(escape(member["profile_id"]), escape(reached_at(member)), identifiers)
    console.print()
    console.print(members_table)


def reached_at(member: dict[str, Any]) -> str:
    """Name, address and number of a member, as far as they are known."""
    name = member["name"] or " ".join(filter(None, (member["firstName"], member["lastName"])))
    return ", ".join(filter(None, (name, member["email"], member["phone"]))) or "-"
