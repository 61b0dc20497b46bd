"""Compiles loaded rules for PROFILE. Every stage and command compiles its rules here."""

from pipeline.profile.compiled_rules import CompiledRules
from pipeline.rules.model import Rules
from pipeline.rules.version import rules_version
from pipeline.rules.zones import zone_of
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.episodes import Strength


def compiled(rules: Rules) -> CompiledRules:
    """Returns the compiled rules.

    Raises:
        UnknownZoneError: The time zone of the aggregates is unknown. ``load_rules`` rejects such rules.
    """
    zone = zone_of(rules.aggregates.time_zone)
    compiled_rules = compile_rules(
        rules.aggregates,
        rules.scores,
        rules.triggers,
        rules.segments,
        journeys=rules.journeys,
        zone=zone,
        model=rules.model,
        strength=Strength(
            {kind.name: kind.priority for kind in rules.identity.types},
            {kind.name for kind in rules.identity.types if kind.strong and not kind.household},
        ),
    )
    return compiled_rules._replace(version=rules_version(rules))
