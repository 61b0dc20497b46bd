"""``stitchline routing dry-run``: the owner of a made-up lead and the reason, before the rules are deployed.

Exit codes: 0 routed, also when no representative gets it; 1 the rules refused; 2 the command line is wrong.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec.structs import replace
from rich.table import Table

from pipeline.cli.explained import explained
from pipeline.cli.printed import print_json
from pipeline.cli.screen import screen
from pipeline.clock import wall_clock_ms
from pipeline.condition.advice import did_you_mean
from pipeline.printable import printable, printable_values
from pipeline.profile.records import CrmAction, Lead
from pipeline.query.as_of import NotAMomentError, as_of_ms
from pipeline.query.profiles import LATEST
from pipeline.route.router import Routed
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.segment.grade import GRADES
from pipeline.settings import Settings
from pipeline.simulate.routing import route_leads

MAX_LEADS: Final = 100_000
EXAMPLES = """\b
Exit codes: 0 routed, also when no representative gets it; 1 the rules refused; 2 wrong command line.
\b
Examples:
  stitchline routing dry-run --traits '{"country": "DE"}'
  stitchline routing dry-run --traits '{"country": "DE"}' --at 2026-12-25 --rules my-rules
  stitchline routing dry-run --score 90 --count 100 --json | jq .shares
"""

app = typer.Typer(no_args_is_help=True, help="Try the routing of leads to representatives.")


@app.callback()
def _routing() -> None:
    """Try the routing of leads to representatives."""


@app.command("dry-run", epilog=EXAMPLES)
def dry_run(  # noqa: PLR0917 - the command's options
    traits: Annotated[str, typer.Option(metavar="JSON", help="Traits of the customer.")] = "{}",
    contact: Annotated[str, typer.Option(metavar="JSON", help="Contact fields of the customer.")] = "{}",
    identifier: Annotated[
        list[str] | None, typer.Option(metavar="TYPE:VALUE", help="An identifier; may be given more than once.")
    ] = None,
    score: Annotated[float, typer.Option(help="The score.")] = 100.0,
    trigger: Annotated[str, typer.Option(help="The trigger that fires. Default: the first of triggers.yaml.")] = "",
    grade: Annotated[str, typer.Option(metavar="A1", help="The grade.")] = "",
    segment: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A segment of the customer; may be given more than once.")
    ] = None,
    channel: Annotated[str, typer.Option(help="Channel of the last touch.")] = "",
    campaign: Annotated[str, typer.Option(help="Campaign of the last touch.")] = "",
    at: Annotated[str, typer.Option(help="When it fires: now, or ISO 8601.")] = "now",
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=MAX_LEADS, help="Number of leads.")] = 1,
    rules: Annotated[Path | None, typer.Option(help="Directory of rules files. Default: the ones in force.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Route made-up leads, as the first leads of the tenant, and explain the decision. Reads and changes nothing.

    With --count each lead belongs to another customer, unless --identifier names one customer.
    """
    with explained():
        in_force = load_rules(rules or Settings().rules_dir)
    stated, moment_ms = _object(traits, "--traits", Any), _moment_ms(at)
    inside = _segments(segment or [], in_force)
    if grade and grade not in GRADES:
        message = "write a letter from A to D and a digit from 1 to 4, as in A1"
        raise typer.BadParameter(message, param_hint="--grade")
    action = CrmAction(
        trigger=trigger or next((rule.name for rule in in_force.triggers.triggers), ""),
        episode=1,
        timestamp_ms=moment_ms,
        score=score,
        grade=grade,
        contact=_object(contact, "--contact", str),
        identifiers=sorted(identifier or []),
    )
    numbered = [replace(action, action_id=f"{n}", profile_id=f"{n}") for n in range(count)]
    leads = [Lead("default", numbered_action, stated, channel, campaign, inside) for numbered_action in numbered]
    routed = route_leads(in_force, leads, moment_ms)
    shares = Counter(numbered_action.action.owner for numbered_action in routed)
    if as_json:
        print_json({**_facts(routed[-1]), "shares": shares}, indent=2)
    else:
        _show(routed[-1], shares)


def _facts(routed: Routed) -> dict[str, str]:
    action = routed.action
    return {
        "owner": action.owner, "owner_reason": action.owner_reason, "decided_by": routed.step,
        "route": routed.route,
    }  # fmt: skip


def _show(last: Routed, shares: Counter[str]) -> None:
    console = screen(markup=False)
    facts = printable_values(_facts(last))
    console.print(f"owner: {facts['owner'] or 'none'}")
    console.print(f"why:   {facts['owner_reason']}", soft_wrap=True)
    if shares.total() > 1:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("of all")
        table.add_column("leads", justify="right")
        for name, leads in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])):
            table.add_row(printable(name) or "none", f"{leads:,}")
        console.print(table)


def _object(text: str, option: str, values: Any) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(text, type=dict[str, values]))
    except msgspec.DecodeError as error:
        message = f'{error}; write a JSON object, as in {{"country": "DE"}}'
        raise typer.BadParameter(message, param_hint=option) from error


def _segments(names: list[str], rules: Rules) -> list[str]:
    known = [rule.name for rule in rules.segments.segments]
    for name in names:
        if name not in known:
            message = f"there is no segment {name}; {did_you_mean(name, known)}"
            raise typer.BadParameter(message, param_hint="--segment")
    return sorted(set(names))


def _moment_ms(text: str) -> int:
    try:
        moment_ms = as_of_ms(text, wall_clock_ms())
    except NotAMomentError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from error
    if moment_ms == LATEST:
        message = "nothing is stored here to be the latest; write now, or a date like 2026-03-01"
        raise typer.BadParameter(message, param_hint="--at")
    return moment_ms
