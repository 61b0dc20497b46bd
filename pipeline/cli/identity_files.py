"""``stitchline identity resolve FILE…``: the customers in files of events, by the pure function alone; no server."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from connectors.sources.choose import derived_message_id, source_for
from connectors.sources.mapping_file import load_mapping
from connectors.sources.record import Position, Record
from connectors.sources.rejects import Rejects
from pipeline.cli.exit_codes import ExitCode
from pipeline.cli.explained import explained
from pipeline.cli.identity_screen import print_resolved
from pipeline.cli.ingest import channel_named
from pipeline.cli.printed import print_json, print_line
from pipeline.cli.screen import screen
from pipeline.event.accept import Acceptor
from pipeline.event.identifier import Identifier
from pipeline.event.model import Event
from pipeline.event.parse import Defaults
from pipeline.event.result import Rejected
from pipeline.identity.decisions import decide
from pipeline.identity.evidence import FirstSightings, links_of, logouts_of
from pipeline.identity.household import households
from pipeline.identity.messages import Command, Link
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.profile_id import profile_id
from pipeline.identity.resolve import Resolution
from pipeline.identity.resolve import resolve as resolved
from pipeline.printable import printable
from pipeline.query.links import link_facts
from pipeline.rules.load import load_rules
from pipeline.rules.model import Rules
from pipeline.rules.normalisers import normalisers
from pipeline.settings import Settings

RESOLVE_EXAMPLES = """\b
Exit codes: 0 resolved; 1 a file or the rules cannot be used; 3 some records are no events.
\b
Examples:
  stitchline identity resolve events.ndjson
  stitchline identity resolve events.ndjson --rules my-rules --json | jq '.groups[].identifiers'
"""


class Seen(msgspec.Struct):
    """What the events of one tenant say."""

    links: list[Link] = []
    logouts: list[Command] = []
    events: list[tuple[str, Identifier]] = []
    """Each event's id and anchor, in the order of the file."""
    counts: Counter[tuple[Identifier, Identifier]] = msgspec.field(default_factory=Counter)
    reported: set[str] = set()
    sightings: FirstSightings = msgspec.field(default_factory=FirstSightings)


def resolve(
    files: Annotated[list[Path], typer.Argument(help="NDJSON, CSV, Avro, Parquet or Arrow; gzip is decompressed.")],
    *,
    rules: Annotated[Path | None, typer.Option(help="Directory of rules files. Default: the ones in force.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that maps a table's columns to fields.")] = None,
    channel: Annotated[str | None, typer.Option(help="Channel of events that name none.")] = None,
    tenant: Annotated[str, typer.Option(help="Tenant of events that name none.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Resolve the links in files of events: customers with profile ids, rejected links, the customer of each event.

    The result does not depend on the order of events or on repetitions.
    """
    with explained(OSError):
        in_force = load_rules(rules or Settings().rules_dir)
        reader = _FileReader(in_force, Defaults(tenant=tenant, channel=channel_named(channel)))
        known = load_mapping(mapping, in_force.identifier_types, in_force.intake.amount_fields) if mapping else None
        with closing(Rejects(lambda line: print_line(printable(line), err=True), None)) as rejects:
            for path in files:
                for record in source_for(path, known).records(Position()):
                    why = reader.take(record, path.name.removesuffix(".gz"))
                    if why is not None:
                        rejects.report(path, record, why)
    facts = resolution_facts(reader.seen, reader.book) | {"rejects": rejects.count}
    if as_json:
        print_json(facts, indent=2)
    else:
        print_resolved(screen(), facts)
    if rejects.count:
        raise typer.Exit(ExitCode.SOME_REJECTED)


class _FileReader:
    """Events to links, by the parser, the checks and the normalisers that INTAKE uses."""

    def __init__(self, rules: Rules, defaults: Defaults) -> None:
        self.book = IdentityPolicy(rules.identity)
        self.seen: dict[str, Seen] = {}
        self._defaults = defaults
        known = normalisers(rules.intake.default_country)
        self._accept = Acceptor(rules.intake, rules.identifiers, known).accept_document

    def take(self, record: Record, file_name: str) -> Rejected | None:
        """Note what an event says, once per message id; or why the record is none."""
        if isinstance(record.payload, Rejected):
            return record.payload
        made = "" if record.payload.get("messageId") else derived_message_id(file_name, record.number, record.raw)
        defaults = msgspec.structs.replace(self._defaults, message_id=made)
        accepted = self._accept(record.payload, defaults, lambda _event: record.raw)
        if isinstance(accepted, Rejected):
            return accepted
        event = accepted.event
        seen = self.seen.setdefault(event.tenant, Seen())
        if event.event_id not in seen.reported:
            seen.reported.add(event.event_id)
            _note(seen, event, self.book)
        return None


def _note(seen: Seen, event: Event, policy: IdentityPolicy) -> None:
    seen.events.append((event.event_id, event.identifiers[0]))
    seen.sightings.note(event)
    for link in links_of(event):
        ends = policy.ends(link.anchor, link.other)
        seen.counts[ends] += 1
        seen.links.append(msgspec.structs.replace(link, count=seen.counts[ends]))
    seen.logouts += logouts_of(event, policy)


def resolution_facts(seen: dict[str, Seen], policy: IdentityPolicy) -> dict[str, Any]:
    """Groups, rejected links, isolated identifiers, households and events of every tenant, by tenant."""
    facts: dict[str, list[dict[str, Any]]] = {
        "groups": [],
        "rejected": [],
        "isolated": [],
        "households": [],
        "events": [],
    }
    for tenant, tenant_seen in sorted(seen.items()):
        resolution = resolved(
            tenant_seen.sightings.with_first_sightings(tenant_seen.links), policy, decide(tenant_seen.logouts, policy)
        )
        owner_of = {
            anchor: profile_id(tenant, resolution.founder_of.get(anchor, anchor)) for _, anchor in tenant_seen.events
        }
        facts["groups"] += _groups(tenant, resolution, [anchor for _, anchor in tenant_seen.events])
        for rejected in resolution.rejected:
            ends = {"tenant": tenant, "start": rejected.merged_link.strong, "end": rejected.merged_link.weak}
            facts["rejected"].append(ends | link_facts(rejected.merged_link, rejected))
        facts["isolated"] += [
            {"tenant": tenant, "identifier": ident, "reason": str(why)}
            for ident, why in sorted(resolution.isolated.items())
        ]
        facts["households"] += [
            {"tenant": tenant, **msgspec.structs.asdict(household)} for household in households(tenant, resolution)
        ]
        facts["events"] += [
            {"event_id": event_id, "tenant": tenant, "anchor": anchor, "profile_id": owner_of[anchor]}
            for event_id, anchor in tenant_seen.events
        ]
    return facts


def _groups(tenant: str, resolution: Resolution, anchors: Iterable[Identifier]) -> list[dict[str, Any]]:
    """Customers, those with the most events first; identifiers that were never linked are customers of their own."""
    events = Counter(resolution.founder_of.get(anchor, anchor) for anchor in anchors)
    members = {ident: [ident] for ident in events} | resolution.groups()
    return [
        {
            "profile_id": profile_id(tenant, founder),
            "tenant": tenant,
            "founder": founder,
            "identifiers": members[founder],
            "events": events[founder],
        }
        for founder in sorted(members, key=lambda founder: (-events[founder], founder))
    ]
