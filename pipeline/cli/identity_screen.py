"""Identity for people: paths of links, what decisions led to, what rules would change, what a file resolves to."""

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from pipeline.cli.tables import titled_table
from pipeline.event.identifier import Identifier
from pipeline.printable import printable, printable_values
from pipeline.query.links import MEANING

SHOWN: Final = 40
"""Lines of a kind; ``--json`` has them all."""
COLOURS: Final = {
    **dict.fromkeys(("merged", "linked", "released", "joined"), "green"),
    **dict.fromkeys(("split", "unlinked", "left"), "yellow"),
}


def print_why(console: Console, facts: dict[str, Any], unlinked: Iterable[Identifier]) -> None:
    """Print what :func:`~pipeline.cli.identity_query.why` found; ``unlinked`` are those nothing was ever linked to."""
    facts = printable_values(facts)
    one, two = (f"[bold]{escape(item)}[/]" for item in facts["identifiers"])
    mine, other = facts["profile_ids"]
    if facts["together"]:
        console.print(f"{one} and {two} are [green]one customer[/], profile {mine}", soft_wrap=True)
    else:
        console.print(f"{one} and {two} are [yellow]two customers[/], profiles {mine} and {other}", soft_wrap=True)
    for step in facts["path"]:
        _step(console, step)
    for step in facts["obstacles"]:
        rule = f" ({escape(step['rule'])})" if step["rule"] else ""
        console.print(f"held for {step['rejected']}{rule}: {MEANING[step['rejected']]}", soft_wrap=True, style="yellow")
    for ident in unlinked:
        console.print(f"{escape(printable(ident))} was never linked to anything", style="dim", soft_wrap=True)
    if not facts["path"] and not facts["together"]:
        console.print("no stored link leads from one to the other", style="dim")
    if not facts["complete"]:
        console.print("not every stored link could be followed: there may be another way", style="yellow")


def print_changes(console: Console, changes: list[dict[str, Any]]) -> None:
    """Print lines of ``identity.changes``."""
    changes = printable_values(changes)
    for change in changes[:SHOWN]:
        colour = COLOURS.get(change["change"], "red")
        parties = change["profile_id"] + (f" · {change['other_profile_id']}" if change["other_profile_id"] else "")
        rule = f" by {escape(change['rule'])}" if change["rule"] else ""
        idents = ", ".join(change["identifiers"])
        line = f"[{colour}]{change['change']:<11}[/] {escape(idents)}  [dim]{parties}  {change['reason']}{rule}[/]"
        console.print(line, soft_wrap=True)
    _more(console, len(changes))


def print_households(console: Console, facts: dict[str, Any]) -> None:
    """Print households: the shared identifier and the customers that share it."""
    facts = printable_values(facts)
    if not facts["households"]:
        console.print(
            f"{escape(facts['identifier'])} (profile {facts['profile_id']}) shares no household", soft_wrap=True
        )
    for household in facts["households"]:
        count, people = len(household["members"]), "customer" if len(household["members"]) == 1 else "customers"
        console.print(
            f"[bold]{escape(household['shared'])}[/]: {count} {people}  [dim]household {household['household_id']}[/]",
            soft_wrap=True,
        )
        for member in household["members"][:SHOWN]:
            idents = escape(", ".join(member["identifiers"]))
            console.print(f"  {member['profile_id']}  {escape(member['founder'])}  [dim]by {idents}[/]", soft_wrap=True)
        _more(console, count)
    if not facts["complete"]:
        console.print("a transaction is still open (a worker was killed?); its links are not in it", style="yellow")


def print_difference(console: Console, facts: dict[str, Any]) -> None:
    """Print what other rules would change."""
    facts = printable_values(facts)
    console.print(
        f"of {facts['identifiers']} linked identifiers: [bold]{facts['profiles_affected']}[/] profiles affected, "
        f"{len(facts['merges'])} merges, {len(facts['splits'])} splits",
        soft_wrap=True,
    )
    for profile in facts["merges"][:SHOWN]:
        founders = ", ".join(source["founder"] for source in profile["from"])
        console.print(f"[green]merge[/]  {escape(founders)}  [dim]into {profile['profile_id']}[/]", soft_wrap=True)
    for profile in facts["splits"][:SHOWN]:
        founders = ", ".join(target["founder"] for target in profile["into"])
        console.print(f"[yellow]split[/]  {escape(founders)}  [dim]out of {profile['profile_id']}[/]", soft_wrap=True)
    _more(console, max(len(facts["merges"]), len(facts["splits"])))
    if facts["blocked"]:
        known = f"{len(facts['blocked'])} known identifiers would be blocked from the next event on"
        console.print(f"{known}; suppress them to part what they link", style="yellow", soft_wrap=True)
    if not facts["complete"]:
        console.print("a transaction is still open (a worker was killed?); its links are not replayed", style="yellow")


def print_resolved(console: Console, facts: dict[str, Any]) -> None:
    """Print what a file of events resolves to."""
    facts = printable_values(facts)
    groups, rejected, events = facts["groups"], facts["rejected"], facts["events"]
    console.print(f"{len(events)} events of {len(groups)} customers, {len(rejected)} rejected links", style="bold")
    table = titled_table("Customers", "profile", "events", "identifiers")
    table.columns[1].justify = "right"
    for group in groups[:SHOWN]:
        table.add_row(group["profile_id"], str(group["events"]), escape(", ".join(group["identifiers"])))
    console.print(table)
    _more(console, len(groups))
    if rejected:
        table = titled_table("Rejected links", "link", "reason", "rule", "last seen")
        for link in rejected[:SHOWN]:
            ends = escape(f"{link['start']} - {link['end']}")
            table.add_row(ends, link["rejected"], escape(link["rule"]), _time(link["last_seen"]))
        console.print(table)
        _more(console, len(rejected))
    table = titled_table("Events", "event", "anchor", "profile")
    for event in events[:SHOWN]:
        table.add_row(escape(event["event_id"]), escape(event["anchor"]), event["profile_id"])
    console.print(table)
    _more(console, len(events))


def _step(console: Console, step: dict[str, Any]) -> None:
    """One link of a path: how often seen, since when, and where last."""
    times = "once" if step["count"] == 1 else f"{step['count']} times"
    span = _time(step["first_seen"])
    if step["last_seen"] != step["first_seen"]:
        span += f" to {_time(step['last_seen'])}"
    where = f", last on {escape(step['event_id'])}" if step["event_id"] else ""
    assertion = f", asserted by {escape(step['source'])}" if step["asserted"] else ""
    arrow = "[red]- -[/]" if step["rejected"] else "[green]---[/]"
    console.print(f"  {escape(step['start'])} {arrow} {escape(step['end'])}", soft_wrap=True)
    console.print(f"      seen {times}, {span}{where}{assertion}", style="dim", soft_wrap=True)


def _more(console: Console, count: int) -> None:
    if count > SHOWN:
        console.print(f"… {count - SHOWN} more; see all with --json", style="dim")


def _time(text: str) -> str:
    return text.replace("T", " ")
