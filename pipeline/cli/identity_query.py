"""``stitchline identity why | graph | household | dry-run``: questions to the stored links, by the rules in force."""

from pathlib import Path
from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException

from pipeline.atomic_file import replacing
from pipeline.cli.bar import Bars
from pipeline.cli.connect import connected
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained, fail
from pipeline.cli.identity_screen import print_difference, print_households, print_why
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.rules_in_force import note_other_rules
from pipeline.cli.screen import screen
from pipeline.event.identifier import Identifier
from pipeline.identity.compare import Difference
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.query.households import household_facts
from pipeline.query.identity import StoredIdentity, read_identity
from pipeline.query.links import why_facts
from pipeline.query.naming import Naming, is_profile_id
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.settings import Settings

ASK_EXAMPLES = """\b
Exit codes: 0 answered, one customer or not; 1 Kafka or the rules refused; 2 not an identifier.
\b
Examples:
  stitchline identity why email:ada@example.org anonymous_id:a-17
  stitchline identity why user_id:4711 user_id:815 --json
"""
GRAPH_EXAMPLES = """\b
Exit codes: 0 written; 1 Kafka, the rules or the disk refused; 2 not an identifier or not a format; 4 unknown.
\b
Examples:
  stitchline identity graph email:ada@example.org --out ada.svg
  stitchline identity graph 1a5c0f0e-5a0b-5e0e-9b58-3f4b6b9f2c11 --out ada.graphml
"""
HOUSEHOLD_EXAMPLES = """\b
Exit codes: 0 answered, also if they share nothing; 1 Kafka or the rules refused; 2 not an identifier; 4 unknown.
\b
Examples:
  stitchline identity household account_id:A-77
  stitchline identity household email:ada@example.org --json | jq '.households[].profile_ids'
"""
DRY_RUN_EXAMPLES = """\b
Exit codes: 0 done, with or without changes; 1 Kafka or the rules refused.
\b
Examples:
  stitchline identity dry-run --rules my-rules
  stitchline identity dry-run --rules my-rules --json | jq .profiles_affected
"""
SUFFIXES = (".svg", ".graphml")

Tenant = Annotated[str, typer.Option("--tenant", help="Tenant of the customers.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def why(
    a: Annotated[str, typer.Argument(metavar="A", help="An identifier, type:value.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    *,
    tenant: Tenant = "default",
    as_json: Json = False,
) -> None:
    """Explain why two identifiers are one customer or not: the links between them, or the limit that separates them."""
    with explained(OSError, KafkaException):
        rules, stored = _read(tenant)
        naming, policy = Naming(rules), IdentityPolicy(rules.identity)
        one, two = naming.identifier(a, or_blocked=True), naming.identifier(b, or_blocked=True)
        answer, area = stored.why(one, two, policy)
    facts = why_facts(tenant, (one, two), answer, area.resolution) | {"complete": area.whole and stored.complete}
    if as_json:
        print_json(facts, indent=2)
    else:
        print_why(screen(), facts, [ident for ident in (one, two) if not stored.knows(ident)])


def graph(
    identifier: Annotated[
        str, typer.Argument(metavar="TYPE:VALUE|PROFILE_ID", help="Any identifier, or an id, old or new.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A picture (.svg) or a graph (.graphml).")],
    tenant: Tenant = "default",
    as_json: Json = False,
) -> None:
    """Draw a customer: identifiers, the links between them, and, dashed, rejected links with their other ends."""
    if out.suffix.lower() not in SUFFIXES:
        fail(f"{out.name}: end the name in {' or '.join(SUFFIXES)}", ExitCode.MISUSED)
    from pipeline.export.drawing import draw  # noqa: PLC0415 - only drawing waits for networkx
    from pipeline.query.graph import customer_graph, write_graphml  # noqa: PLC0415

    with explained(OSError, KafkaException):
        rules, stored = _read(tenant)
        ident, policy = _linked(identifier, stored, Naming(rules)), IdentityPolicy(rules.identity)
        drawn = customer_graph(tenant, ident, stored.around([ident], policy).resolution)
        with replacing(out) as file:
            if out.suffix.lower() == ".svg":
                file.write(draw(drawn, policy).encode())
            else:
                write_graphml(file, drawn)
    counts = {"identifiers": drawn.number_of_nodes(), "links": drawn.number_of_edges()}
    if as_json:
        print_json({"file": str(out), "profile_id": drawn.graph["profile_id"], **counts})
    else:
        print_line(f"{counts['identifiers']} identifiers and {counts['links']} links drawn in {out}")


def household(
    identifier: Annotated[
        str,
        typer.Argument(metavar="TYPE:VALUE|PROFILE_ID", help="The shared identifier, or a customer that shares one."),
    ],
    *,
    tenant: Tenant = "default",
    as_json: Json = False,
) -> None:
    """Print the customers that share an account or address, or those that a customer shares. They stay separate.

    Shows STITCH's last decisions. ``identity.changes`` publishes the same changes as joined, left, merged and split.
    """
    with explained(OSError, KafkaException):
        rules, stored = _read(tenant)
        ident = _linked(identifier, stored, Naming(rules))
        facts = {
            "identifier": ident,
            "profile_id": profile_id(tenant, stored.founder(ident)),
            "households": [household_facts(stored, shared) for shared in stored.households.shared_by(ident)],
            "complete": stored.complete,
        }
    if as_json:
        print_json(facts, indent=2)
    else:
        print_households(screen(), facts)


def dry_run(
    *,
    rules: Annotated[Path, typer.Option("--rules", metavar="DIR", help="Directory of rules files to try.")],
    tenant: Tenant = "default",
    as_json: Json = False,
) -> None:
    """Replay every stored link under other rules and print the merges and splits they would make. Changes nothing."""
    with explained(OSError, KafkaException):
        tried = load_rules(rules)
        in_force, stored = _read(tenant)
        difference = stored.replay(IdentityPolicy(in_force.identity), IdentityPolicy(tried.identity))
        naming = Naming(tried)
        blocked = sorted(ident for ident in stored.identifiers() if naming.is_blocked(ident))
    facts = {"identifiers": len(stored), **_difference_facts(tenant, difference), "blocked": blocked}
    facts["complete"] = stored.complete
    if as_json:
        print_json(facts, indent=2)
    else:
        print_difference(screen(), facts)


def _read(tenant: str) -> tuple[Rules, StoredIdentity]:
    settings = connected(Settings())
    rules = load_rules(settings.rules_dir)
    note_other_rules(settings, rules)
    with Bars() as bars:
        return rules, read_identity(settings, tenant, bars.reading("reading"))


def _linked(identifier: str, stored: StoredIdentity, naming: Naming) -> Identifier:
    """The identifier, or one of the profile, that is meant; the command ends where nothing was ever linked to it."""
    by_id = is_profile_id(identifier.lower())
    ident = stored.named_after(identifier.lower()) if by_id else naming.identifier(identifier, or_blocked=True)
    if ident is None or not stored.knows(ident):
        fail(f"{identifier} is unknown: nothing was ever linked to it (tenant {stored.tenant})", ExitCode.UNKNOWN)
    return ident


def _difference_facts(tenant: str, difference: Difference) -> dict[str, Any]:
    def ids(founders: list[Identifier]) -> list[dict[str, str]]:
        return [{"profile_id": profile_id(tenant, founder), "founder": founder} for founder in founders]

    merged = [{**ids([into])[0], "from": ids(of_founder)} for into, of_founder in difference.merged.items()]
    split = [{**ids([before])[0], "into": ids(of_founder)} for before, of_founder in difference.split.items()]
    return {
        "profiles_affected": len(difference.affected),
        "merges": merged,
        "splits": split,
        "affected": ids(difference.affected),
    }
