"""The rules in force, and the effect of proposed ones on the stored customers."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import select

from pipeline.identity.policy import IdentityPolicy
from pipeline.profile.compiled_rules import CompiledRules
from pipeline.profile.row import ACTIVE
from pipeline.query.dry_run import dry_run
from pipeline.query.identity import StoredIdentity
from pipeline.query.profiles import decode_row
from pipeline.rules.compiled import compiled
from pipeline.rules.files import FILES
from pipeline.rules.load import check_rules, origin, stand_ins
from pipeline.rules.model import Rules
from pipeline.rules.problem import Problem
from pipeline.rules.version import rules_version
from pipeline.serve.console.data.states import States
from pipeline.serve.console.data.triggers import BUDGET_SECONDS, one_at_a_time
from pipeline.serve.console.views import RuleComparison, RuleSet, SourceLine
from pipeline.serve.model import tables
from pipeline.serve.read.reads import Reads

MAX_NODES: Final = 200_000
"""Identifiers up to which identities are resolved again in this process: 10 s and 250 MB."""
LIST: Final = 50


class RuleData:
    """Reads rules files and compares rules. ``directory`` is the one in force; None: the shipped rules."""

    def __init__(self, reads: Reads, directory: Path | None) -> None:
        self._reads, self._directory = reads, directory
        self._loaded = self._stamps()

    def in_force(self, tenant: str) -> RuleSet:
        """Returns the files as they are on disk."""
        paths = {spec.name: origin(self._directory, spec) for spec in FILES}
        texts = {name: path.read_text(encoding="utf-8-sig") for name, path in paths.items()}
        version = rules_version(self._reads.context.rules)
        now = self._stamps()
        changed = [name for name, stamp in now.items() if stamp != self._loaded[name]]
        return RuleSet(version, self._published(tenant), texts, stand_ins(self._directory), changed)

    def _stamps(self) -> dict[str, tuple[str, int]]:
        """Returns the path and the time of change of each file, to notice changes after the rules were loaded."""
        paths = {spec.name: origin(self._directory, spec) for spec in FILES}
        return {name: (str(path), path.stat().st_mtime_ns) for name, path in paths.items()}

    def sources(self, tenant: str) -> list[SourceLine]:
        """Returns the declared senders of a tenant."""
        return [
            SourceLine(
                source.name,
                source.channel,
                source.dialects if source.write_keys else (),
                [f"webhooks of {webhook.vendor}" for webhook in source.webhooks],
                source.origins,
                len(source.write_keys),
            )
            for source in self._reads.context.rules.sources.sources
            if source.tenant == tenant
        ]

    def _published(self, tenant: str) -> str:
        """Returns the rules version of the tenant's newest profile; "" if none has one."""
        profiles = tables.profiles.c
        newest = (
            select(profiles.body)
            .where(profiles.tenant == tenant, profiles.status == ACTIVE)
            .order_by(profiles.last_seen_ms.desc())
            .limit(1)
        )
        with self._reads.context.store.reading() as connection:
            body = connection.execute(newest).scalar()
        return "" if body is None else str(msgspec.json.decode(body).get("rules_version", ""))

    def compare(self, tenant: str, texts: Mapping[str, str]) -> RuleComparison:
        """Returns what the rules with these files in place of their own would change.

        Raises:
            BusyError: another comparison or dry run is under way.
        """
        proposed, problems = self._proposed(tenant, texts)
        if proposed is None:
            return RuleComparison(problems=problems)
        rules = self._reads.context.rules
        with one_at_a_time():
            counts = _counts(self._reads, tenant, compiled(proposed), rules, proposed)
            if rules.identity != proposed.identity:
                counts = self._identities(tenant, proposed, counts)
        return counts._replace(version=rules_version(proposed))

    def _proposed(self, tenant: str, texts: Mapping[str, str]) -> tuple[Rules | None, list[Problem]]:
        """Returns the rules that result, or the problems, in a folder that is gone afterwards."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, text in {**self.in_force(tenant).texts, **texts}.items():
                (folder / file).write_text(text, encoding="utf-8")
            return check_rules(folder)

    def _identities(self, tenant: str, proposed: Rules, counts: RuleComparison) -> RuleComparison:
        nodes = tables.nodes.c
        with self._reads.context.store.reading() as connection:
            stored = connection.execute(
                select(nodes.identifier, nodes.node).where(nodes.tenant == tenant).limit(MAX_NODES + 1)
            ).all()
        if len(stored) > MAX_NODES:
            return counts._replace(too_many_identifiers=True)
        graph = StoredIdentity(tenant, {row.identifier: row.node for row in stored})
        before, after = IdentityPolicy(self._reads.context.rules.identity), IdentityPolicy(proposed.identity)
        difference = graph.replay(before, after)
        return counts._replace(
            merges=len(difference.merged),
            splits=len(difference.split),
            merged=[(founder, len(others)) for founder, others in list(difference.merged.items())[:LIST]],
            split=[(founder, len(others)) for founder, others in list(difference.split.items())[:LIST]],
        )


def _counts(reads: Reads, tenant: str, after: CompiledRules, rules: Rules, proposed: Rules) -> RuleComparison:
    """Returns members of segments and firing triggers under both rules, over the same profiles."""
    before, now_ms = reads.context.compiled, reads.context.clock()
    states = States(reads.context.store, tenant, BUDGET_SECONDS)
    encoded = list(states.encoded())
    firing = []
    inside: list[dict[str, int]] = []
    for side, its_rules in ((before, rules), (after, proposed)):
        members = dict.fromkeys(side.segments.names, 0)
        for _, data in encoded:
            row = decode_row(data)
            for name, state in side.segments.evaluate(row.ledgers(), max(now_ms, row.latest_ms())).items():
                members[name] += state.inside
        inside.append(members)
        names = [rule.name for rule in its_rules.triggers.every()]
        outcome = dry_run(((name, decode_row(data)) for name, data in encoded), side, names, now_ms, 0)
        firing.append({name: tally.fires for name, tally in outcome.tallies.items()})
    return RuleComparison(
        segments=_side_by_side(*inside), triggers=_side_by_side(*firing), profiles=len(encoded), total=states.total
    )


def _side_by_side(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, int | None, int | None]]:
    return [(name, before.get(name), after.get(name)) for name in sorted({*before, *after})]
