"""``stitchline rules check | show | schema | init``: the marketer's files, before a worker reads them.

Exit codes: 0 the rules can be used, or the command is done; 1 the rules have problems, or a file is in the way;
2 the command line is wrong.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from connectors.sources.mapping_file import MAPPING_FILE
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import complain, fail
from pipeline.cli.printed import print_json, print_line
from pipeline.identity.presets import implied
from pipeline.rules.files import FILES
from pipeline.rules.load import DEFAULTS, check_rules, load_rules, stand_ins
from pipeline.rules.model import Rules
from pipeline.rules.problem import Problem, RulesError
from pipeline.rules.render import file_data, yaml_text
from pipeline.rules.schema import file_schema, write_schemas
from pipeline.rules.version import rules_version

EXIT_CODES = "Exit codes: 0 fine, 1 the rules have problems, 2 wrong command line."

app = typer.Typer(
    no_args_is_help=True,
    help="Check, show and create rules files: identifiers, aggregates, journeys, scores, segments, triggers, routing…",
    epilog=EXIT_CODES,
)

Directory = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR",
        envvar="STITCHLINE_RULES_DIR",  # as the setting; reading all settings takes as long as checking the rules
        show_envvar=False,
        help="Directory of rules files. Default: STITCHLINE_RULES_DIR, or the shipped ones.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(epilog="Examples: stitchline rules check my-rules · stitchline rules check my-rules --json. " + EXIT_CODES)
def check(directory: Directory = None, as_json: Json = False) -> None:
    """Check the rules. Prints every problem with file, line and correction."""
    rules, problems = check_rules(directory)
    if as_json:
        report = {"ok": not problems, "directory": str(directory or DEFAULTS), "problems": problems}
        version = rules_version(rules) if rules else None
        print_json({**report, "version": version, "shipped_defaults": stand_ins(directory)}, indent=2)
    elif problems:
        _show_problems(problems)
    if problems or rules is None:
        raise typer.Exit(ExitCode.FAILED)
    if not as_json:
        print_line(f"{directory or 'shipped rules'}: no problems in {_summary(rules)}")
        print_line(f"rules version {rules_version(rules)}{_stand_ins(directory)}")


@app.command(
    epilog="Examples: stitchline rules show my-rules · stitchline rules show --file scores · "
    "stitchline rules show --compiled. " + EXIT_CODES
)
def show(
    directory: Directory = None,
    only: Annotated[
        str, typer.Option("--file", metavar="NAME", help="One of " + ", ".join(spec.topic for spec in FILES) + ".")
    ] = "",
    as_json: Json = False,
    as_code: Annotated[
        bool, typer.Option("--compiled", help="Print the functions that a worker generates from the rules.")
    ] = False,
) -> None:
    """Print the rules in force with all defaults; what a preset implies is printed as comments."""
    topics = [spec.topic for spec in FILES]
    if only and only not in topics:
        message = f"there is no {only}; write one of {', '.join(topics)}"
        raise typer.BadParameter(message, param_hint="--file")
    try:
        rules = load_rules(directory)
    except RulesError as error:
        _show_problems(error.problems)
        raise typer.Exit(ExitCode.FAILED) from error
    if as_code:
        _show_functions(rules)
        return
    shown = {spec.topic: file_data(rules, spec) for spec in FILES if not only or spec.topic == only}
    if as_json:
        print_json({"version": rules_version(rules), **shown}, indent=2)
        return
    print_line(f"# rules version {rules_version(rules)}\n")
    for spec in FILES:
        if spec.topic in shown:
            shipped = " (shipped default)" if spec.name in stand_ins(directory) else ""
            print_line(f"# {spec.name}: {spec.title}{shipped}")
            for line in implied(rules.identity) if spec.topic == "identifiers" else ():
                print_line(f"# {line}")
            print_line(yaml_text(shown[spec.topic]))


@app.command(epilog="Examples: stitchline rules schema · stitchline rules schema --out schemas. Exit code 0.")
def schema(
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write one file per schema there.")] = None,
) -> None:
    """Print the JSON Schemas of the rules files and of mappings, or write them to a folder for editors."""
    files = (*FILES, MAPPING_FILE)
    if out is None:
        print_json({spec.topic: file_schema(spec) for spec in files}, indent=2)
        return
    for path in write_schemas(out, files):
        print_line(str(path))


@app.command(epilog="Example: stitchline rules init my-rules. Exit codes: 0 done, 1 a file of that name exists.")
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Target directory; created if missing.")],
) -> None:
    """Copy the shipped rules and their schemas to a directory, as a starting point."""
    taken = [directory / spec.name for spec in FILES if (directory / spec.name).exists()]
    if taken:
        fail(f"{taken[0]} is there already; name an empty directory", ExitCode.FAILED)
    write_schemas(directory / "schema")
    for spec in FILES:
        text = (DEFAULTS / spec.name).read_text(encoding="utf-8")
        (directory / spec.name).write_text(text.replace("$schema=../schema/", "$schema=schema/", 1), encoding="utf-8")
    print_line(f"{directory}: {len(FILES)} rules files; check them with: stitchline rules check {directory}")


def _show_functions(rules: Rules) -> None:
    from pipeline.rules.compiled import compiled  # noqa: PLC0415  only this option waits for the compiler

    functions = compiled(rules)
    print_line(f"# rules version {rules_version(rules)}\n")
    for source, touches in functions.plan.sources().items():
        print_line(f"# books: {', '.join(touches)}")
        print_line(source)
    print_line(f"# segments\n{functions.segments.source}")


def _stand_ins(directory: Path | None) -> str:
    names = stand_ins(directory) if directory else []
    return f"; shipped defaults, which the directory does not have: {', '.join(names)}" if names else ""


def _summary(rules: Rules) -> str:
    counts = {
        "identifier type": len(rules.identifiers),
        "aggregate": len(rules.aggregates.aggregates),
        "conversion": len(rules.journeys.attribution.conversions) if rules.journeys.attribution else 0,
        "score rule": len(rules.scores.scores),
        "segment": len(rules.segments.segments),
        "trigger": len(rules.triggers.triggers),
        "representative": len(rules.routing.reps),
    }
    return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())


def _show_problems(problems: list[Problem] | tuple[Problem, ...]) -> None:
    count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
    if not sys.stdout.isatty():
        for problem in problems:
            print_line(str(problem))
        complain(count)
        return
    from rich.table import Table  # noqa: PLC0415 - importing rich takes a tenth of the command's time

    from pipeline.cli.screen import screen  # noqa: PLC0415

    table = Table(title=count, title_justify="left", title_style="bold red", show_lines=True)
    for column in ("where", "what is wrong", "what to write"):
        table.add_column(column, overflow="fold")
    for problem in problems:
        where = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
        table.add_row(where, problem.message, problem.instead)
    screen(markup=False).print(table)
