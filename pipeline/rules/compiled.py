"""Rules files compiled for PROFILE: the one way from what a marketer wrote to what stages and commands work by."""

from pipeline.profile.compiled_rules import CompiledRules
from pipeline.rules.model import Rules
from pipeline.rules.version import rules_version
from pipeline.rules.zones import zone_of
from pipeline.trigger.compile import compile_rules
from pipeline.trigger.episodes import Strength


def compiled(rules: Rules) -> CompiledRules:
    """What is booked, how it is read, and what follows.

    Raises:
        UnknownZoneError: There is no such time zone here; ``load_rules`` has refused it before.
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
