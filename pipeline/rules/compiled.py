"""The rules in force, compiled for PROFILE and for everyone who reads what it keeps."""

from pipeline.profile.rulebook import Rulebook
from pipeline.rules.model import Rules
from pipeline.rules.zones import zone_of
from pipeline.trigger.rulebook import compile_rules


def compiled(rules: Rules) -> Rulebook:
    """One rulebook for one directory of rules files.

    Raises:
        UnknownZoneError: There is no such time zone here; ``load_rules`` has refused it before.
    """
    zone = zone_of(rules.aggregates.time_zone)
    return compile_rules(rules.aggregates, rules.scores, rules.triggers, rules.journeys, zone)
